"""What goes over the wire is what the gateway will sign: target and headers, byte for byte."""

import pytest

from member_sdk import Gateway, InvalidCall
from member_sdk.requests import Path, Query, build_call
from tests.member_sdk.gateway_on_a_socket import GatewayOnASocket
from tests.stamped_exchanges import CLIENT, SERVICE


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("", None, ""),
        ("UTR-123-A", None, "/UTR-123-A"),
        ("/UTR-123-A", None, "/UTR-123-A"),
        ("a//b/", None, "/a//b/"),
        ("a%2Fb", None, "/a%2Fb"),
        ("a%2fb%7e", None, "/a%2fb%7e"),
        ("señal uno", None, "/se%C3%B1al%20uno"),
        (["a/b", "100%", "ñ"], None, "/a%2Fb/100%25/%C3%B1"),
        ("x;v=1,2", "q=a+b&c=%41&d='?/", "/x;v=1,2?q=a+b&c=%41&d='?/"),
        ("x", {"estado": "robado", "color": ["gris", "vino tinto"]}, "/x?estado=robado&color=gris&color=vino+tinto"),
        ("x", "", "/x"),
    ],
)
def test_the_target_arrives_as_it_was_meant(
    gateway: Gateway, server: GatewayOnASocket, path: Path, query: Query | None, target: str
) -> None:
    server.will_answer(200, ())
    gateway.call(SERVICE, path, query=query)
    assert server.request_line == f"GET /r1/{SERVICE}{target} HTTP/1.1"


def test_identifiers_are_encoded_piece_by_piece(server: GatewayOnASocket) -> None:
    server.will_answer(200, ())
    with Gateway(server.url, "QROO/MUN/a%2Fb/c d".replace(" ", "%20")) as gateway:
        gateway.call("QROO/EST/S:P/sub/caf%C3%A9")
    assert server.request_line == "GET /r1/QROO/EST/S%3AP/sub/caf%C3%A9 HTTP/1.1"
    assert server.header("X-Road-Client") == "QROO/MUN/a%2Fb/c%20d"


def test_the_protocols_headers_are_sent(gateway: Gateway, server: GatewayOnASocket) -> None:
    server.will_answer(200, ())
    gateway.call(
        SERVICE,
        message_id="exp-7",
        user_id="agente-12",
        issue="carpeta 2026/7",
        represented_party="MUN/TULUM",
        security_server="QROO/EST/SSP/gw1",
        headers=[("Accept-Language", "es"), ("X-Dos", "1"), ("X-Dos", "2")],
    )
    wanted = {
        "X-Road-Client": CLIENT,
        "X-Road-Id": "exp-7",
        "X-Road-UserId": "agente-12",
        "X-Road-Issue": "carpeta 2026/7",
        "X-Road-Represented-Party": "MUN/TULUM",
        "X-Road-Security-Server": "QROO/EST/SSP/gw1",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Accept-Language": "es",
    }
    assert {name: server.header(name) for name in wanted} == wanted
    assert [value for name, value in server.headers if name == "X-Dos"] == ["1", "2"]


def test_a_message_id_is_made_and_told(gateway: Gateway, server: GatewayOnASocket) -> None:
    server.will_answer(200, ())
    answer = gateway.call(SERVICE)
    assert answer.message_id == server.header("X-Road-Id")
    assert answer.message_id.startswith("QROO-")


def test_bodies_are_sent_as_json_or_as_they_are(gateway: Gateway, server: GatewayOnASocket) -> None:
    server.will_answer(201, ())
    gateway.call(SERVICE, method="POST", json={"ñ": [1, None]})
    assert (server.body, server.header("Content-Type")) == ('{"ñ":[1,null]}'.encode(), "application/json")
    server.will_answer(201, ())
    gateway.call(SERVICE, method="PUT", content=b"\x00\xff", headers={"Content-Type": "application/x"})
    assert (server.body, server.header("Content-Type")) == (b"\x00\xff", "application/x")


def test_a_service_cannot_set_cookies_for_the_others(gateway: Gateway, server: GatewayOnASocket) -> None:
    server.will_answer(200, (("Set-Cookie", "session=1; Path=/"),))
    server.will_answer(200, ())
    gateway.call(SERVICE)
    gateway.call(SERVICE)
    assert server.header("Cookie") is None


def test_a_proxy_in_the_environment_is_not_used(server: GatewayOnASocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.will_answer(200, ())
    with Gateway(server.url, CLIENT) as gateway:
        assert gateway.call(SERVICE).status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {"path": "a/../b"},
        {"path": "a/%2e%2E/b"},
        {"path": ["a", ".."]},
        {"path": "a?b"},
        {"path": "a#b"},
        {"path": "100%"},
        {"method": "CONNECT"},
        {"method": "get"},
        {"headers": {"X-Road-Client": "QROO/MUN/OTHER/x"}},
        {"headers": {"X-Road-Request-Id": "1"}},
        {"headers": {"X-A": "1\r\nX-Road-Client: QROO/MUN/OTHER/x"}},
        {"message_id": "1\r\nX: y"},
        {"json": 1, "content": b"1"},
        {"service": "QROO/EST/SSP/vehiculos"},
    ],
)
def test_a_call_that_cannot_be_sent_as_meant_is_refused_here(options: dict[str, object]) -> None:
    arguments = {"service": SERVICE, **options}
    with pytest.raises(InvalidCall) as caught:
        build_call(CLIENT, **arguments)  # type: ignore[arg-type]
    assert caught.value.reason == "invalid-call"
    assert caught.value.advice


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://h", "http://h/r1", "http://", "http://h:x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        Gateway(url, CLIENT)
    assert caught.value.reason == "invalid-address"
