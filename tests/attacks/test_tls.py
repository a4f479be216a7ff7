"""Who may speak at all: certificates in TLS, at the provider's gateway and at the consumer's."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.attacks.broken_stamps import foreign
from tests.attacks.conftest import Scene
from tests.attacks.hostile_consumer import WIRE, Traces, read_answer, seconds_until_closed
from tests.attacks.refused_answers import ask, faulty, require_refused
from tests.pki import Credential
from tests.running_instance import PROVIDER, until

Choose = Callable[[Scene], Credential]

POSTED = b"POST /messages HTTP/1.1\r\nHost: x\r\nXacbe-Wire: 1\r\nContent-Length: 10000\r\n\r\n"


def unregistered(scene: Scene) -> Credential:
    """A certificate of the consumer's server that the issuing CA's key made, but the registry did not."""
    return scene.keys.authentication_for(scene.keys.server)


def of_unknown_server(scene: Scene) -> Credential:
    """The same for a server that the catalogue does not have."""
    return scene.keys.authentication_for(scene.keys.server.__class__("QROO", "MUN", "NADIE", "gw1"))


def of_foreign_ca(scene: Scene) -> Credential:
    """One with all the right names, of another root."""
    return foreign().authentication_for(scene.keys.server)


def without_any(_: Scene) -> None:
    """No certificate."""


def for_signing(scene: Scene) -> Credential:
    """The consumer's own, registered signing certificate."""
    return scene.consumer.signing


@pytest.mark.parametrize("choose", [unregistered, of_unknown_server], ids=lambda choose: choose.__name__)
def test_unregistered_client_certificate_is_told_so_and_its_connection_ends(scene: Scene, choose: Choose) -> None:
    credential = choose(scene)
    container = scene.consumer.request().container()
    scene.consumer.refused(container, "SslAuthenticationFailed", "peer-unknown", credential=credential, read=False)
    connection = scene.consumer.connect(credential)
    connection.request("POST", "/messages", container, dict(WIRE))
    assert read_answer(connection).fault().reason == "peer-unknown"
    assert seconds_until_closed(connection) < 5


@pytest.mark.parametrize("choose", [of_foreign_ca, for_signing, without_any], ids=lambda choose: choose.__name__)
def test_certificate_that_no_gateway_has_does_not_get_through_the_handshake(
    scene: Scene, choose: Callable[[Scene], Credential | None]
) -> None:
    # TLS itself refuses, before there is anybody to tell a reason, and ends the connection.
    before = Traces.of(scene.consumer)
    context = scene.consumer.context(choose(scene))
    address = ("127.0.0.1", scene.instance.ports.peers(PROVIDER).port)
    with (
        socket.create_connection(address, timeout=20) as plain,
        suppress(ssl.SSLError, ConnectionError),
        context.wrap_socket(plain) as connection,
    ):
        # In TLS 1.3 the client is done, and may write, before the server has looked at its certificate.
        connection.sendall(POSTED + scene.consumer.request().container())
        assert connection.recv(1) == b""
    assert Traces.of(scene.consumer) == before


def test_registered_server_of_another_member_cannot_bring_a_message(scene: Scene) -> None:
    container = scene.consumer.request().container()
    scene.consumer.refused(container, "IncorrectCertificate", "signer-not-peer", credential=scene.third.authentication)


@pytest.mark.parametrize("choose", [unregistered, of_foreign_ca, for_signing], ids=lambda choose: choose.__name__)
def test_provider_with_another_certificate_than_the_catalogue_s_gets_no_byte(scene: Scene, choose: Choose) -> None:
    connections = len(scene.provider.got)
    with scene.provider.showing(choose(scene)):
        told = faulty(ask(scene))
    assert told.what == (
        "Server.ClientProxy.SslAuthenticationFailed",
        "provider-tls-mismatch",
        "consumer gateway",
    )
    require_refused(scene, told, None)
    until(lambda: len(scene.provider.got) > connections)
    assert scene.provider.got[connections:] == [b""]


def test_provider_with_its_own_certificate_of_another_server_gets_no_byte(scene: Scene) -> None:
    # Registered, of the right kind and unrevoked: only not that of the server whose address this is.
    connections = len(scene.provider.got)
    with scene.provider.showing(scene.throwaway.authentication):
        assert faulty(ask(scene)).reason == "provider-tls-mismatch"
    until(lambda: len(scene.provider.got) > connections)
    assert scene.provider.got[connections:] == [b""]
