"""X-Road's REST message protocol, requests: what an information system sends, is signed, and arrives at the service."""

import re
import socket
import uuid
from urllib.parse import urlsplit

import pytest

from tests.interoperability.echoing_instance import BASE_PATH, ECHO, EchoingInstance
from tests.raw_http import Pairs, read_answer, request_bytes
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, WITHOUT_RIGHT

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SET_BY_GATEWAYS = ("host", "content-length", "x-road-client", "x-road-id", "x-road-request-id")


def head_lines(files: dict[str, bytes]) -> list[str]:
    """The lines of a signed request head."""
    return files["request.http"].decode("latin-1").removesuffix("\r\n").split("\r\n")


def others(headers: Pairs) -> Pairs:
    """The header fields that no gateway sets, names in lower case."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in SET_BY_GATEWAYS]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/",
        "/placa/UTR-123-A",
        "/a//b/",
        "/%C3%91and%c3%ba/%2F/%7E~/a%20b+c",
        "/a;v=1,2/b:c@d/!$&'()*",
        "?estado=robado",
        "/x?a=%41&b=%2f..%2F&a=&&=?/../.&c=%zz",
        "/x?q=a+b%20c;d|e{f}[g]^`<>\"'\\",
    ],
)
def test_path_and_query_are_passed_on_byte_for_byte(echo: EchoingInstance, rest: str) -> None:
    answer = echo.ask(rest)
    assert answer.status == 200
    assert echo.service.last.line == f"GET {BASE_PATH}{rest} HTTP/1.1".encode("latin-1")
    assert head_lines(echo.signed(answer, "request"))[:2] == ["GET", f"/r1/{ECHO}{rest}"]


def test_identifiers_are_percent_encoded_piece_by_piece(echo: EchoingInstance) -> None:
    written = "QROO/%45ST/SSP/vehicul%6fs/%65co"
    answer = echo.ask("/x", service=written)
    assert answer.status == 200
    assert echo.service.last.target == f"{BASE_PATH}/x"
    assert answer.value("x-road-service") == ECHO
    assert head_lines(echo.signed(answer, "request"))[1] == f"/r1/{written}/x"


def test_lone_question_mark_is_signed_though_the_service_sees_no_query(echo: EchoingInstance) -> None:
    answer = echo.ask("/x?")
    assert head_lines(echo.signed(answer, "request"))[1] == f"/r1/{ECHO}/x?"
    assert echo.service.last.target.removesuffix("?") == f"{BASE_PATH}/x"


def test_latin_1_header_is_signed_as_it_is_and_its_text_arrives(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", [("X-Latin", "ju\xe1rez")])
    assert "x-latin:ju\xe1rez" in head_lines(echo.signed(answer, "request"))
    (arrived,) = echo.service.last.values("x-latin")
    assert arrived in ("ju\xe1rez", "ju\xe1rez".encode().decode("latin-1"))


@pytest.mark.parametrize("method", ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"])
def test_every_method_reaches_the_service(echo: EchoingInstance, method: str) -> None:
    answer = echo.ask("/x", method=method)
    assert (answer.status, answer.body) == (200, b"seen")
    assert echo.service.last.line == f"{method} {BASE_PATH}/x HTTP/1.1".encode()
    assert head_lines(echo.signed(answer, "request"))[0] == method


def test_headers_of_one_connection_are_not_passed_on_and_all_others_are_in_order(echo: EchoingInstance) -> None:
    passed = [
        ("X-First", "1"),
        ("Accept", "text/plain;q=0.5, */*"),
        ("Cookie", "a=b; c=d"),
        ("Authorization", "Bearer of-the-service"),
        ("X-Repeated", "one"),
        ("Accept-Encoding", "br"),
        ("X-Repeated", "two"),
        ("Accept-Language", "es-MX"),
        ("X-Empty", ""),
        ("X-Utf-8", "Benito Ju\xc3\xa1rez"),
        ("If-None-Match", '"7"'),
        ("Cache-Control", "no-cache"),
        ("Origin", "https://patrullas.example"),
        ("X-repeated", "three"),
        ("Content-Type", "application/json; charset=utf-8"),
    ]
    dropped = [
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("TE", "trailers"),
        ("Trailer", "X-Last"),
        ("Upgrade", "h2c"),
        ("User-Agent", "patrullas/1"),
        ("Server", "none"),
    ]
    mixed = [pair for pairs in zip(passed, dropped, strict=False) for pair in pairs] + passed[len(dropped) :]
    answer = echo.ask("/x", mixed)
    expected = [(name.lower(), value) for name, value in passed]
    assert others(echo.service.last.headers) == expected
    signed = [
        (name, value)
        for name, _, value in (line.partition(":") for line in head_lines(echo.signed(answer, "request"))[2:])
    ]
    assert others(signed) == expected
    assert not [name for name, _ in signed if name.lower() in ("host", "connection", "content-length")]


def test_last_client_wins_and_it_alone_is_signed(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", [("X-Road-Client", WITHOUT_RIGHT), ("x-road-client", CLIENT)], client="QROO/MUN/OTRO/nada")
    assert (answer.status, answer.value("x-road-client")) == (200, CLIENT)
    assert echo.service.last.values("x-road-client") == [CLIENT]
    signed = [line for line in head_lines(echo.signed(answer, "request")) if line.lower().startswith("x-road-client:")]
    assert signed == [f"X-Road-Client:{CLIENT}"]
    other_way = echo.ask("/x", [("X-Road-Client", WITHOUT_RIGHT)])
    assert other_way.value("x-road-error") == "Server.ServerProxy.AccessDenied"


def test_request_id_and_hash_of_the_client_are_dropped(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", [("X-Road-Request-Id", "mine"), ("X-Road-Request-Hash", "bWluZQ==")])
    request_id = answer.value("x-road-request-id")
    assert re.fullmatch(UUID4, request_id)
    assert echo.service.last.values("x-road-request-id") == [request_id]
    assert echo.service.last.values("x-road-request-hash") == []
    assert b"mine" not in echo.signed(answer, "request")["request.http"]


def test_message_id_is_made_when_there_is_none(echo: EchoingInstance) -> None:
    made = [echo.ask("/x").value("x-road-id"), echo.ask("/x", [("X-Road-Id", "")]).value("x-road-id")]
    assert all(re.fullmatch(f"QROO-{UUID4}", each) for each in made)
    assert len(set(made)) == 2
    assert echo.service.last.values("x-road-id") == made[1:]


def test_message_id_of_the_client_is_kept(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", [("X-Road-Id", "expediente 7/2026 (b)")])
    assert answer.value("x-road-id") == "expediente 7/2026 (b)"
    assert echo.service.last.values("x-road-id") == ["expediente 7/2026 (b)"]


def test_accept_is_json_unless_the_client_says_otherwise(echo: EchoingInstance) -> None:
    echo.ask("/x")
    assert echo.service.last.values("accept") == ["application/json"]
    echo.ask("/x", [("Accept", "image/png"), ("Accept", "*/*;q=0.1")])
    assert echo.service.last.values("accept") == ["image/png", "*/*;q=0.1"]


@pytest.mark.parametrize("party", ["DIF", "MUN/DIF"])
def test_user_issue_and_represented_party_are_passed_on_and_logged(echo: EchoingInstance, party: str) -> None:
    said = {"X-Road-UserId": "MX12345", "X-Road-Issue": "folio 99", "X-Road-Represented-Party": party}
    answer = echo.ask("/x", list(said.items()))
    for name, value in said.items():
        assert echo.service.last.values(name) == [value]
    for gateway in (CONSUMER, PROVIDER):
        for direction in ("request", "answer"):
            row = echo.logged(answer, direction, gateway=gateway)
            assert [row["user_id"], row["issue"], row["represented_party"]] == list(said.values())


def test_request_may_name_the_server_that_is_to_answer(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", [("X-Road-Security-Server", "QROO/EST/SSP/gw1")])
    assert answer.status == 200
    assert echo.service.last.values("x-road-security-server") == ["QROO/EST/SSP/gw1"]


@pytest.mark.parametrize("body", [None, b"", b"x", bytes(range(256)) * 300])
def test_no_body_an_empty_one_and_bytes_are_three_things(echo: EchoingInstance, body: bytes | None) -> None:
    answer = echo.ask("/x", method="POST", body=body)
    assert echo.service.last.body == (body or b"")
    assert echo.signed(answer, "request").get("body") == body


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_unusual_methods_may_have_a_body(echo: EchoingInstance, method: str) -> None:
    answer = echo.ask("/x", [("Content-Type", "text/plain")], method=method, body=b"why not")
    assert echo.service.last.body == b"why not"
    assert echo.signed(answer, "request")["body"] == b"why not"


@pytest.mark.parametrize("pieces", [[], [b"a", b"bc" * 5000]])
def test_chunked_body_is_a_body_of_known_length_for_the_service(echo: EchoingInstance, pieces: list[bytes]) -> None:
    head = request_bytes("PUT", f"/r1/{ECHO}/x", [("X-Road-Client", CLIENT), ("Transfer-Encoding", "chunked")])
    answer = echo.send(head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")
    assert echo.signed(answer, "request")["body"] == b"".join(pieces)
    seen = echo.service.last
    assert (seen.body, seen.values("transfer-encoding")) == (b"".join(pieces), [])
    assert seen.values("content-length") == [str(len(b"".join(pieces)))]


def test_gateway_itself_answers_expect_100_continue(echo: EchoingInstance) -> None:
    fields = [("X-Road-Client", CLIENT), ("Expect", "100-continue"), ("Content-Length", "5")]
    before = len(echo.service.seen)
    address = urlsplit(echo.instance.url())
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection:
        connection.sendall(request_bytes("POST", f"/r1/{ECHO}/x", fields))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert len(echo.service.seen) == before
        connection.sendall(b"later")
        answer = read_answer(b"".join(iter(lambda: connection.recv(65536), b"")))
    assert answer.status == 200
    assert echo.service.last.body == b"later"
    assert echo.service.last.values("expect") == []


def test_request_id_is_new_for_each_call_also_of_one_message_id(echo: EchoingInstance) -> None:
    answers = [echo.ask("/x", [("X-Road-Id", "the same")]) for _ in range(3)]
    assert len({uuid.UUID(each.value("x-road-request-id")) for each in answers}) == 3
