"""Once: the same container again, and others with its request id, from its peer and from another, after a restart."""

import socket
import threading

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.hostile_consumer import PeerAnswer, Traces, request_id_of
from tests.running_instance import PROVIDER

INVALID = "InvalidRequest"
SLOW = "QROO/EST/SSP/vehiculos/lento"


def test_same_container_from_the_same_peer_gets_the_stored_answer_and_is_not_processed_again(scene: Scene) -> None:
    container = scene.consumer.request().container()
    first = scene.consumer.accepted(container)
    after_the_first = Traces.of(scene.consumer)
    for _ in range(2):
        assert scene.consumer.send(container).body == first.body
    assert Traces.of(scene.consumer) == after_the_first


@pytest.mark.parametrize("changed", ["another body", "another path", "only stamped anew"])
def test_other_container_with_a_used_request_id_is_refused(scene: Scene, changed: str) -> None:
    first = scene.consumer.request()
    container = first.container()
    scene.consumer.accepted(container)
    request_id = request_id_of(container)
    other = {
        "another body": scene.consumer.request(body=b"other", request_id=request_id),
        "another path": scene.consumer.request("/other", request_id=request_id),
        "only stamped anew": first,
    }[changed].container()
    assert other != container
    scene.consumer.refused(other, INVALID, "replayed")
    rows = scene.instance.entries(PROVIDER, "request_id = ?", request_id)
    assert [row["direction"] for row in rows] == ["request", "answer"]


def test_same_container_from_another_registered_peer_is_refused(scene: Scene) -> None:
    container = scene.consumer.request().container()
    scene.consumer.accepted(container)
    scene.consumer.refused(container, "IncorrectCertificate", "signer-not-peer", credential=scene.third.authentication)


def test_request_id_of_one_client_does_not_block_another_s(scene: Scene) -> None:
    container = scene.consumer.request().container()
    scene.consumer.accepted(container)
    scene.third.accepted(scene.third.request(request_id=request_id_of(container)).container())


def test_same_container_while_the_first_is_under_way_is_told_that_the_outcome_is_unknown(scene: Scene) -> None:
    container = scene.consumer.request(service=SLOW).container()
    answers: list[PeerAnswer] = []
    first = threading.Thread(target=lambda: answers.append(scene.consumer.send(container)))
    first.start()
    scene.held.settimeout(20)
    called, _ = scene.held.accept()
    with called:
        called.recv(65536)
        scene.consumer.refused(container, "NetworkError", "outcome-unknown")
        other = scene.consumer.request(service=SLOW, request_id=request_id_of(container))
        scene.consumer.refused(other.container(), INVALID, "replayed")
        called.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    first.join(20)
    assert answers[0].stamped(scene.instance.anchor)[1] == b"ok"
    assert scene.consumer.send(container).body == answers[0].body
    scene.held.settimeout(0.2)
    with pytest.raises(socket.timeout):
        scene.held.accept()


def test_replays_are_known_after_a_restart_of_the_provider_s_gateway(scene: Scene) -> None:
    container = scene.consumer.request().container()
    first = scene.consumer.accepted(container)
    with scene.instance.without(PROVIDER):
        pass
    before = Traces.of(scene.consumer)
    assert scene.consumer.send(container).body == first.body
    assert Traces.of(scene.consumer) == before
    other = scene.consumer.request(request_id=request_id_of(container))
    scene.consumer.refused(other.container(), INVALID, "replayed")
    scene.consumer.refused(container, "IncorrectCertificate", "signer-not-peer", credential=scene.third.authentication)
