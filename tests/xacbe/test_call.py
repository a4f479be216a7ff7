"""`xacbe call`: the answer's body and nothing else on stdout, the rest on stderr, exit codes that mean something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.member_sdk.gateway_on_a_socket import GatewayOnASocket, gateway_on_a_socket
from tests.pki import TestPki
from tests.stamped_exchanges import CLIENT, SERVICE, Exchange, download
from xacbe.main import run


@pytest.fixture
def server() -> Iterator[GatewayOnASocket]:
    with gateway_on_a_socket() as server:
        yield server


def call(server: GatewayOnASocket, *arguments: str) -> int:
    return run(["call", SERVICE, "--client", CLIENT, "--gateway", server.url, *arguments])


def test_the_body_is_handed_over_as_it_is(server: GatewayOnASocket, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    server.will_answer(200, (), b"\x00\xff raw")
    assert call(server, "-p", "UTR-123-A", "-q", "a=1&b=%20", "-H", "Accept: text/plain") == 0
    out, err = capfdbinary.readouterr()
    assert out == b"\x00\xff raw"
    assert err.startswith(b"200 from QROO/EST/SSP/vehiculos/placas")
    assert server.request_line == f"GET /r1/{SERVICE}/UTR-123-A?a=1&b=%20 HTTP/1.1"
    assert server.header("Accept") == "text/plain"


def test_data_makes_it_a_post(server: GatewayOnASocket, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"\x00\x01")
    for arguments, line, body in (
        (["-d", "text"], "POST", b"text"),
        (["-d", f"@{file}", "-X", "PUT"], "PUT", b"\x00\x01"),
    ):
        server.will_answer(200, ())
        assert call(server, *arguments) == 0
        assert server.request_line.startswith(line)
        assert server.body == body


def test_a_services_error_is_shown_and_is_no_success(
    server: GatewayOnASocket, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    server.will_answer(404, (), b'{"title":"Not Found"}')
    assert call(server) == 1
    assert capfdbinary.readouterr().out == b'{"title":"Not Found"}'


def test_a_fault_is_told_with_reason_and_advice(server: GatewayOnASocket, capfd: pytest.CaptureFixture[str]) -> None:
    body = b'{"message":"No right.","reason":"access-denied","advice":"Ask the provider."}'
    server.will_answer(500, (("X-Road-Error", "Server.ServerProxy.AccessDenied"),), body)
    assert call(server) == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", "error: No right (access-denied)\n  Ask the provider.\n")


def test_evidence_is_left_and_verified(
    server: GatewayOnASocket, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    exchange = Exchange(TestPki())
    anchor = tmp_path / "anchor.json"
    anchor.write_bytes(exchange.anchor.dump())
    for path, code in (("UTR-123-A", 0), ("URM-481-C", 1)):
        server.will_answer(200, exchange.answer_headers, exchange.answer_body or b"")
        server.will_answer(200, (), download(exchange))
        assert call(server, "-p", path, "--evidence", str(tmp_path / "e"), "--anchor", str(anchor)) == code
        out, err = capfd.readouterr()
        assert out.encode() == exchange.answer_body
        assert f"exchange: {'NOT VALID (evidence-sent-as-stamped)' if code else 'VALID'}" in err
    assert (tmp_path / "e" / "response.asice").read_bytes() == exchange.answer
