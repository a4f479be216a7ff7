"""TLS contexts: who is trusted, what is refused, and that nothing is resumed."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from service_runtime.connections import PEER_CERTIFICATE
from service_runtime.errors import KeyFileError, TlsError
from service_runtime.keys import generate_key, write_private_key
from service_runtime.serving import Application, Listener
from service_runtime.tls import Identity, client_context, load_certificates, server_context
from tests.service_runtime.authority import Authority, Issued
from tests.service_runtime.live_service import connect, read_answer

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def tell_peer(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the peer's certificate in hex, or nothing."""
    body = (scope["extensions"][PEER_CERTIFICATE] or b"").hex().encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


def listener(context: ssl.SSLContext, app: Application = tell_peer) -> Listener:
    return Listener(app, "127.0.0.1", 0, name="peers", setting="peers.port", ssl_context=context)


def ask(where: Listener, context: ssl.SSLContext) -> tuple[bytes, ssl.SSLSocket]:
    connection = connect(where, context)
    assert isinstance(connection, ssl.SSLSocket)
    connection.sendall(REQUEST)
    status, _, body = read_answer(connection)
    assert status == 200
    return body, connection


def test_the_application_sees_the_peers_certificate(authority: Authority, serving: Any) -> None:
    server, client = authority.issue("server"), authority.issue("client")
    peers = listener(server_context(server.identity, client_cas=[authority.certificate]))
    with serving(peers):
        context = client_context(server_cas=[authority.certificate], identity=client.identity)
        body, connection = ask(peers, context)
        assert bytes.fromhex(body.decode()) == client.der
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert connection.getpeercert(binary_form=True) == server.der
        connection.close()


def refused_client(where: Listener, context: ssl.SSLContext) -> None:
    # In TLS 1.3 the client's own handshake is over before the server judges its certificate.
    with pytest.raises((ssl.SSLError, ConnectionResetError, AssertionError)):
        ask(where, context)


def test_clients_without_a_trusted_certificate_are_refused(
    authority: Authority, other_authority: Authority, serving: Any
) -> None:
    server, stranger = authority.issue("server"), other_authority.issue("client")
    called: list[Any] = []

    async def never(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope)

    peers = listener(server_context(server.identity, client_cas=[authority.certificate]), never)
    with serving(peers):
        trust = [authority.certificate]
        refused_client(peers, client_context(server_cas=trust))
        refused_client(peers, client_context(server_cas=trust, identity=stranger.identity))
    assert called == []


def test_a_certificate_may_be_optional(authority: Authority, serving: Any) -> None:
    context = server_context(
        authority.issue("server").identity, client_cas=[authority.certificate], require_client=False
    )
    peers = listener(context)
    with serving(peers):
        body, connection = ask(peers, client_context(server_cas=[authority.certificate]))
        assert body == b""
        connection.close()


def test_single_certificates_are_trusted_and_not_their_issuer(
    authority: Authority, other_authority: Authority, serving: Any
) -> None:
    server = authority.issue("server")
    known, sibling = other_authority.issue("known"), other_authority.issue("sibling")
    peers = listener(server_context(server.identity, client_certificates=[known.certificate]))
    with serving(peers):
        trust = [authority.certificate]
        body, connection = ask(peers, client_context(server_cas=trust, identity=known.identity))
        assert bytes.fromhex(body.decode()) == known.der
        connection.close()
        refused_client(peers, client_context(server_cas=trust, identity=sibling.identity))


def test_clients_trust_only_what_they_are_told(authority: Authority, other_authority: Authority, serving: Any) -> None:
    server = authority.issue("server")
    web = listener(server_context(server.identity))
    with serving(web):
        for context in (client_context(), client_context(server_cas=[other_authority.certificate])):
            with pytest.raises(ssl.SSLCertVerificationError):
                connect(web, context)
        pinned = client_context(server_certificates=[server.certificate])
        ask(web, pinned)[1].close()


def test_host_names_are_checked_unless_told_not_to(authority: Authority, serving: Any) -> None:
    web = listener(server_context(authority.issue("server").identity))
    with serving(web):
        strict = client_context(server_cas=[authority.certificate])
        lax = client_context(server_cas=[authority.certificate], check_hostname=False)
        plain = connect(web)
        with pytest.raises(ssl.SSLCertVerificationError):
            strict.wrap_socket(plain, server_hostname="other.example")
        lax.wrap_socket(connect(web), server_hostname="other.example").close()


def test_old_tls_is_refused_unless_lowered(authority: Authority, serving: Any) -> None:
    identity = authority.issue("server").identity
    old_client = client_context(server_cas=[authority.certificate], minimum=ssl.TLSVersion.TLSv1_2)
    old_client.maximum_version = ssl.TLSVersion.TLSv1_2
    web = listener(server_context(identity))
    with serving(web), pytest.raises(ssl.SSLError):
        connect(web, old_client)
    lowered = listener(server_context(identity, minimum=ssl.TLSVersion.TLSv1_2))
    with serving(lowered):
        _, connection = ask(lowered, old_client)
        assert connection.version() == "TLSv1.2"
        assert connection.compression() is None
        connection.close()


def test_tls_12_with_client_certificates_is_refused(authority: Authority) -> None:
    # Its session cache cannot be switched off here, and a resumed session skips the check of the chain.
    with pytest.raises(TlsError) as caught:
        server_context(
            authority.issue("server").identity,
            client_cas=[authority.certificate],
            minimum=ssl.TLSVersion.TLSv1_2,
        )
    assert caught.value.reason == "tls-version"
    with pytest.raises(TlsError):
        client_context(minimum=ssl.TLSVersion.TLSv1_1)


def test_no_session_is_resumed(authority: Authority, serving: Any) -> None:
    server, client = authority.issue("server"), authority.issue("client")
    peers = listener(server_context(server.identity, client_cas=[authority.certificate]))
    with serving(peers):
        context = client_context(server_cas=[authority.certificate], identity=client.identity)
        context.options &= ~ssl.OP_NO_TICKET
        _, first = ask(peers, context)
        # Without tickets TLS 1.3 has nothing to resume with, however the client tries.
        assert first.session is None or not first.session.has_ticket
        first.close()
        second = context.wrap_socket(connect(peers), server_hostname="127.0.0.1", session=first.session)
        second.sendall(REQUEST)
        assert read_answer(second)[0] == 200
        assert second.session_reused is False
        second.close()


def swapped(issued: Issued, key: Path) -> Identity:
    return Identity(issued.identity.certificates, key)


def test_a_certificate_of_another_key_is_refused(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    with pytest.raises(TlsError) as caught:
        server_context(swapped(one, other.identity.key))
    assert caught.value.reason == "certificate-key-mismatch"
    assert str(other.identity.key) in caught.value.message


def test_identity_files_are_checked(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("one")
    with pytest.raises(TlsError) as caught:
        server_context(Identity(tmp_path / "absent.pem", issued.identity.key))
    assert caught.value.reason == "certificate-file-unreadable"
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(TlsError):
        load_certificates(tmp_path / "empty.pem")
    issued.identity.key.chmod(0o644)
    with pytest.raises(KeyFileError) as exposed:
        server_context(issued.identity)
    assert exposed.value.reason == "key-file-permissions"


def test_an_encrypted_key_needs_its_passphrase(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("one")
    path = tmp_path / "encrypted.key"
    write_private_key(path, issued.key, b"right")
    server_context(Identity(issued.identity.certificates, path, b"right"))
    for passphrase in (None, b"wrong"):
        with pytest.raises(KeyFileError) as caught:
            server_context(Identity(issued.identity.certificates, path, passphrase))
        assert caught.value.reason == "key-file-passphrase"


def test_a_chain_file_is_read_whole_and_in_order(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("leaf")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (issued.certificate, authority.certificate)))
    assert load_certificates(chain) == [issued.certificate, authority.certificate]
    other = tmp_path / "other.key"
    write_private_key(other, generate_key())
    with pytest.raises(TlsError):
        server_context(Identity(chain, other))
