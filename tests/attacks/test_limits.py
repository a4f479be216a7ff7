"""More than a gateway takes in, and requests that are not the wire's."""

import socket
from collections.abc import Mapping

import pytest

from estamp.container import MEDIA_TYPE
from tests.attacks.conftest import Scene
from tests.attacks.hostile_consumer import MIRROR, WIRE, Traces, read_answer
from tests.attacks.told import read_fault
from tests.raw_http import RawAnswer, exchange
from tests.raw_http import read_answer as read_raw
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, until

LIMIT = 10 * 1024 * 1024
MORE_THAN_ANY_CONTAINER = LIMIT + 1024 * 1024
CHUNK = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"


def test_announced_body_over_the_limit_is_refused_before_it_is_sent(scene: Scene) -> None:
    head = f"POST /r1/{MIRROR} HTTP/1.1\r\nHost: x\r\nX-Road-Client: {CLIENT}\r\nConnection: close\r\n"
    answer = exchange(scene.instance.url(), f"{head}Content-Length: {LIMIT + 1}\r\n\r\n".encode())
    require_too_large(scene, answer)


def test_chunked_body_over_the_limit_is_refused(scene: Scene) -> None:
    head = f"POST /r1/{MIRROR} HTTP/1.1\r\nHost: x\r\nX-Road-Client: {CLIENT}\r\nTransfer-Encoding: chunked\r\n\r\n"
    port = scene.instance.ports.information_systems(CONSUMER).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode())
        sent = 0
        while sent <= LIMIT:
            connection.sendall(CHUNK)
            sent += 0x10000
        data = b""
        while b'"retryable"' not in data and (piece := connection.recv(65536)):
            data += piece
    require_too_large(scene, read_raw(data))


def test_body_at_the_limit_goes_through(scene: Scene) -> None:
    answer = scene.instance.call(service=MIRROR, method="POST", content=b"a" * LIMIT)
    assert (answer.status_code, len(scene.service.last.body)) == (200, LIMIT)


def test_announced_container_over_the_limit_is_refused_before_it_is_sent(scene: Scene) -> None:
    before = Traces.of(scene.consumer)
    connection = scene.consumer.connect()
    connection.putrequest("POST", "/messages")
    for name, value in {**WIRE, "Content-Length": str(MORE_THAN_ANY_CONTAINER)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    told = read_answer(connection).fault()
    connection.close()
    assert told.what == ("Server.ServerProxy.InvalidMessage", "container-too-large", "provider gateway")
    assert Traces.of(scene.consumer) == before


def test_chunked_container_over_the_limit_is_refused(scene: Scene) -> None:
    before = Traces.of(scene.consumer)
    connection = scene.consumer.connect()
    connection.putrequest("POST", "/messages")
    for name, value in {**WIRE, "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for _ in range(MORE_THAN_ANY_CONTAINER // 0x10000):
        connection.send(CHUNK)
    told = read_answer(connection).fault()
    connection.close()
    assert told.what == ("Server.ServerProxy.InvalidMessage", "container-too-large", "provider gateway")
    assert Traces.of(scene.consumer) == before
    assert (
        scene.instance.refusals(PROVIDER, "reason = 'container-too-large'")[-1]["peer_server"] == scene.consumer.server
    )


def test_container_with_a_head_longer_than_heads_may_be_is_refused(scene: Scene) -> None:
    head = scene.consumer.head(headers=(("X-Long", "a" * 128 * 1024),))
    scene.consumer.refused(scene.consumer.request(head=head).container(), "InvalidRest", "head-malformed")


@pytest.mark.parametrize(
    ("method", "path", "headers", "code", "reason"),
    [
        ("GET", "/messages", WIRE, "ClientProxyVersionNotSupported", "wire-unsupported"),
        ("POST", "/", WIRE, "ClientProxyVersionNotSupported", "wire-unsupported"),
        ("POST", f"/r1/{MIRROR}", WIRE, "ClientProxyVersionNotSupported", "wire-unsupported"),
        ("POST", "/messages", {"Content-Type": MEDIA_TYPE}, "ClientProxyVersionNotSupported", "wire-unsupported"),
        ("POST", "/messages", {**WIRE, "Xacbe-Wire": "2"}, "ClientProxyVersionNotSupported", "wire-unsupported"),
        ("POST", "/messages", {**WIRE, "Content-Type": "text/plain"}, "InvalidContentType", "content-type-unsupported"),
    ],
)
def test_request_that_is_not_the_wire_s_is_refused(
    scene: Scene, method: str, path: str, headers: Mapping[str, str], code: str, reason: str
) -> None:
    before = Traces.of(scene.consumer)
    container = scene.consumer.request().container()
    told = scene.consumer.send(container, method=method, path=path, headers=headers).fault()
    assert told.what == (f"Server.ServerProxy.{code}", reason, "provider gateway")
    assert Traces.of(scene.consumer) == before


@pytest.mark.parametrize("content", [b"", b"PK", b"not a container at all", b"\0" * 100_000])
def test_content_that_is_no_container_is_refused(scene: Scene, content: bytes) -> None:
    scene.consumer.refused(content, "InvalidMessage", "container-malformed", read=bool(content))


def test_container_that_breaks_off_is_not_processed(scene: Scene) -> None:
    before = Traces.of(scene.consumer)
    refused = len(scene.instance.refusals(PROVIDER, "reason = 'body-incomplete'"))
    container = scene.consumer.request().container()
    connection = scene.consumer.connect()
    connection.putrequest("POST", "/messages")
    for name, value in {**WIRE, "Content-Length": str(len(container))}.items():
        connection.putheader(name, value)
    connection.endheaders(container[:-1])
    connection.close()
    until(lambda: len(scene.instance.refusals(PROVIDER, "reason = 'body-incomplete'")) > refused)
    assert Traces.of(scene.consumer) == before


def require_too_large(scene: Scene, answer: RawAnswer) -> None:
    """See that the consumer's gateway refused a body for its length, and logged that."""
    told = read_fault(answer.body)
    assert (answer.status, told.what) == (400, ("Client.InvalidBody", "body-too-large", "consumer gateway"))
    assert scene.instance.refusals(CONSUMER, "id = (select max(id) from refusal)")[0]["reason"] == "body-too-large"
