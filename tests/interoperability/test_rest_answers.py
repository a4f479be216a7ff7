"""X-Road's REST message protocol, answers: what a service says, is signed, and is handed to the information system."""

import base64
import gzip
import hashlib

import pytest

from tests.interoperability.echoing_instance import ECHO, EchoingInstance
from tests.raw_http import Pairs
from tests.running_instance import CLIENT, CONSUMER, PROVIDER

ROAD = ("x-road-id", "x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash")
FRAMING = ("date", "content-length", "transfer-encoding", "connection")


def answer_bytes(line: str, headers: Pairs, body: bytes | None = b"") -> bytes:
    """A service's answer; with None as body nothing says how long one would be."""
    length = [] if body is None else [("Content-Length", str(len(body)))]
    fields = "".join(f"{name}: {value}\r\n" for name, value in [*headers, *length])
    return f"HTTP/1.1 {line}\r\n{fields}\r\n".encode("latin-1") + (body or b"")


def others(headers: Pairs) -> Pairs:
    """The header fields that are neither the gateways' own nor the connection's, names in lower case."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in (*ROAD, *FRAMING)]


def test_service_s_headers_are_passed_on_in_order_without_those_of_the_connection(echo: EchoingInstance) -> None:
    passed = [
        ("Content-Type", "text/plain; charset=iso-8859-1"),
        ("Set-Cookie", "a=1; Path=/"),
        ("ETag", '"7"'),
        ("Set-Cookie", "b=2"),
        ("Cache-Control", "max-age=3600"),
        ("X-Latin", "Ju\xe1rez"),
        ("X-Empty", ""),
        ("Access-Control-Allow-Origin", "*"),
        ("WWW-Authenticate", "Basic"),
    ]
    dropped = [
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("Server", "vehicles/1"),
        ("Trailer", "X-Last"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("User-Agent", "no"),
        ("Proxy-Authorization", "no"),
    ]
    mixed = [pair for pairs in zip(passed, dropped, strict=False) for pair in pairs] + passed[len(dropped) :]
    with echo.service.answering(answer_bytes("200 OK", mixed, b"\xe1")):
        answer = echo.ask("/x")
    expected = [(name.lower(), value) for name, value in passed]
    assert (answer.status, answer.body, others(answer.headers)) == (200, b"\xe1", expected)
    status, reason, *lines = echo.signed(answer, "answer")["answer.http"].decode("latin-1").split("\r\n")
    assert (status, reason) == ("200", "OK")
    assert others([(name, value) for name, _, value in (line.partition(":") for line in lines if line)]) == expected


def test_headers_of_the_gateway_replace_the_service_s(echo: EchoingInstance) -> None:
    said = [(name, "the service says so") for name in (*ROAD, "X-Road-Error")]
    with echo.service.answering(answer_bytes("200 OK", said)):
        answer = echo.ask("/x", [("X-Road-Id", "mine")])
    assert (answer.status, answer.value("x-road-id")) == (200, "mine")
    assert (answer.value("x-road-client"), answer.value("x-road-service")) == (CLIENT, ECHO)
    assert answer.values("x-road-error") == []
    assert all(len(answer.values(name)) == 1 for name in ROAD)
    assert b"the service says so" not in echo.signed(answer, "answer")["answer.http"]


@pytest.mark.parametrize("body", [None, b"", b"\x00\xffbytes"])
def test_request_hash_is_over_the_request_as_both_logs_hold_it(echo: EchoingInstance, body: bytes | None) -> None:
    answer = echo.ask("/x?y=%20", [("X-Any", "thing")], method="POST", body=body)
    for gateway in (CONSUMER, PROVIDER):
        assert echo.logged(answer, "request", gateway=gateway)["container"] is not None
    digest = hashlib.sha512(echo.signed(answer, "request")["request.http"]).digest()
    if body is not None:
        digest = hashlib.sha512(digest + hashlib.sha512(body).digest()).digest()
    assert answer.value("x-road-request-hash") == base64.b64encode(digest).decode()


@pytest.mark.parametrize("line", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"])
def test_redirects_are_passed_on_and_not_followed(echo: EchoingInstance, line: str) -> None:
    before = len(echo.service.seen)
    with echo.service.answering(answer_bytes(line, [("Location", f"{echo.service.url}/elsewhere")])):
        answer = echo.ask("/x")
    assert (answer.status, answer.value("location")) == (int(line[:3]), f"{echo.service.url}/elsewhere")
    assert len(echo.service.seen) == before + 1


@pytest.mark.parametrize(
    "line", ["400 Bad Request", "404 Not Found", "409 Conflict", "500 Internal Server Error", "503 No"]
)
def test_service_s_own_errors_are_no_faults(echo: EchoingInstance, line: str) -> None:
    with echo.service.answering(answer_bytes(line, [("X-Road-Error", "Server.Mine")], b'{"type":"mine"}')):
        answer = echo.ask("/x")
    assert (answer.status, answer.body) == (int(line[:3]), b'{"type":"mine"}')
    assert answer.values("x-road-error") == []
    row = echo.logged(answer, "answer")
    assert (row["status_code"], row["fault_type"]) == (int(line[:3]), None)


@pytest.mark.parametrize("line", ["204 No Content", "304 Not Modified"])
def test_answers_that_have_no_body_stay_without(echo: EchoingInstance, line: str) -> None:
    with echo.service.answering(answer_bytes(line, [("ETag", '"7"')], None)):
        answer = echo.ask("/x")
    assert (answer.status, answer.body, answer.value("etag")) == (int(line[:3]), b"", '"7"')
    assert answer.values("content-length") + answer.values("transfer-encoding") == []
    assert echo.signed(answer, "answer").keys() == {"answer.http"}


def test_answer_to_head_has_the_headers_and_no_body(echo: EchoingInstance) -> None:
    with echo.service.answering(answer_bytes("200 OK", [("Content-Type", "text/plain"), ("ETag", '"7"')], b"seen")):
        answer = echo.ask("/x", method="HEAD")
    assert (answer.status, answer.body, answer.value("etag")) == (200, b"", '"7"')
    assert echo.service.last.line.startswith(b"HEAD ")
    assert echo.signed(answer, "answer").keys() == {"answer.http"}
    assert echo.ask("/x").body == b"seen"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
    ],
)
def test_body_is_handed_over_with_its_length_however_it_was_framed(
    echo: EchoingInstance, answer: bytes, body: bytes
) -> None:
    with echo.service.answering(answer):
        received = echo.ask("/x")
    assert (received.status, received.body) == (200, body)
    assert received.value("content-length") == str(len(body))
    assert echo.signed(received, "answer")["body"] == body


def test_compressed_body_is_not_touched(echo: EchoingInstance) -> None:
    packed = gzip.compress(b"seen" * 100)
    with echo.service.answering(answer_bytes("200 OK", [("Content-Encoding", "gzip")], packed)):
        answer = echo.ask("/x", [("Accept-Encoding", "gzip")])
    assert (answer.body, answer.value("content-encoding")) == (packed, "gzip")
    assert echo.signed(answer, "answer")["body"] == packed


def test_nothing_is_cached_and_cross_origin_rules_are_the_service_s(echo: EchoingInstance) -> None:
    before = len(echo.service.seen)
    with echo.service.answering(answer_bytes("200 OK", [("Cache-Control", "public, max-age=3600")], b"fresh")):
        answers = [echo.ask("/same"), echo.ask("/same")]
    assert len(echo.service.seen) == before + 2
    assert answers[0].value("x-road-request-id") != answers[1].value("x-road-request-id")
    asked = [("Origin", "https://patrullas.example"), ("Access-Control-Request-Method", "POST")]
    preflight = echo.ask("/x", asked, method="OPTIONS")
    assert echo.service.last.values("access-control-request-method") == ["POST"]
    assert not [name for name, _ in preflight.headers if name.lower().startswith("access-control")]


def test_date_is_the_service_s_or_else_the_gateway_s_and_once(echo: EchoingInstance) -> None:
    with echo.service.answering(answer_bytes("200 OK", [("Date", "Thu, 01 Jan 2026 00:00:00 GMT")])):
        assert echo.ask("/x").value("date") == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert echo.ask("/x").value("date").endswith(" GMT")
