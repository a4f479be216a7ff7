"""Headers: repeated, injected and forged ones, from information systems, registered consumers and services."""

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.hostile_consumer import BODY, MIRROR, Traces
from tests.attacks.told import read_fault, require_discreet
from tests.raw_http import Pairs, exchange, request_bytes
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, WITHOUT_RIGHT

SINGLE = (
    "X-Road-Id",
    "X-Road-UserId",
    "X-Road-Issue",
    "X-Road-Security-Server",
    "X-Road-Represented-Party",
)
SET_BY_GATEWAYS = ("X-Road-Request-Id", "X-Road-Request-Hash", "X-Road-Service", "X-Road-Error")


@pytest.mark.parametrize("name", SINGLE)
def test_repeated_header_is_refused_by_the_consumer_s_gateway(scene: Scene, name: str) -> None:
    before = Traces.of(scene.consumer)
    pairs = [("X-Road-Client", CLIENT), (name, "QROO/EST/SSP/gw1"), (name.upper(), "QROO/EST/SSP/gw1")]
    told = read_fault(exchange(scene.instance.url(), request_bytes("GET", f"/r1/{MIRROR}", pairs)).body)
    assert told.what == ("Client.DuplicateHeaderField", "header-repeated", "consumer gateway")
    assert Traces.of(scene.consumer) == before
    assert scene.instance.refusals(CONSUMER, "id = (select max(id) from refusal)")[0]["reason"] == "header-repeated"


@pytest.mark.parametrize("name", ["X-Road-Client", *SET_BY_GATEWAYS, *SINGLE])
def test_repeated_header_in_a_stamped_head_is_refused_by_the_provider_s_gateway(scene: Scene, name: str) -> None:
    value = scene.consumer.client if name == "X-Road-Client" else "QROO/EST/SSP/gw1"
    made = scene.consumer.request(headers=((name.lower(), value), (name.upper(), value)))
    scene.consumer.refused(made.container(), "DuplicateHeaderField", "head-header-repeated")


def test_of_repeated_clients_the_last_is_the_one_that_is_signed_and_judged(scene: Scene) -> None:
    target = f"/r1/{MIRROR}"
    pairs = [("X-Road-Client", CLIENT), ("X-Road-Client", WITHOUT_RIGHT)]
    told = read_fault(exchange(scene.instance.url(), request_bytes("GET", target, pairs)).body)
    assert told.reason == "access-denied"
    assert exchange(scene.instance.url(), request_bytes("GET", target, pairs[::-1])).status == 200
    assert scene.service.last.values("x-road-client") == [CLIENT]


def test_headers_that_gateways_set_cannot_be_brought_by_an_information_system(scene: Scene) -> None:
    pairs = [("X-Road-Client", CLIENT), *((name, "chosen") for name in SET_BY_GATEWAYS)]
    answer = exchange(scene.instance.url(), request_bytes("GET", f"/r1/{MIRROR}", pairs))
    assert answer.status == 200
    assert scene.service.last.values("x-road-request-id") == answer.values("x-road-request-id") != ["chosen"]
    assert "chosen" not in repr(scene.service.last.headers)


@pytest.mark.parametrize(
    "line",
    [
        b"X-A: one\r\n two",
        b"X-A: one\r\n\tX-Road-UserId: two",
        b"X-A: one\0two",
        b"X-A: one\rX-Road-UserId: two",
        b"X-A: one\nX-Road-UserId: two",
        b"X-A : one",
        b" X-A: one",
        b"X-A one",
        b": one",
        b"X(A): one",
        b"X-A: one\x01",
        b"X-A: one\x7f",
        b"Content-Length: 0\r\nContent-Length: 5",
        b"Content-Length: +0",
        b"Content-Length: 0x0",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
    ],
    ids=repr,
)
def test_header_injection_by_raw_bytes_never_becomes_another_header(scene: Scene, line: bytes) -> None:
    before = Traces.of(scene.consumer)
    head = f"GET /r1/{MIRROR} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Road-Client: {CLIENT}\r\n".encode()
    answer = exchange(scene.instance.url(), head + line + b"\r\n\r\n")
    assert answer.status == 400, answer
    require_discreet(answer.body + repr(answer.headers).encode())
    assert Traces.of(scene.consumer) == before


@pytest.mark.parametrize(
    "line",
    [
        b"X-A:one\r\n two\r\n",
        b"X-A:one\0two\r\n",
        b"X-A:one\rX-Road-UserId:two\r\n",
        b"X-A:one\nX-Road-UserId:two\r\n",
        b"X-A : one\r\n",
        b"X-A: one\r\n",
        b"X-A:one \r\n",
        b"X-A\r\n",
        b":one\r\n",
        b"\r\n",
        b"\r\nGET /admin HTTP/1.1\r\n",
    ],
    ids=repr,
)
def test_header_injection_in_a_stamped_head_is_refused(scene: Scene, line: bytes) -> None:
    made = scene.consumer.request(head=scene.consumer.head() + line)
    scene.consumer.refused(made.container(), "InvalidRest", "head-malformed")


SMUGGLING: tuple[Pairs, ...] = (
    [("Host", "internal.example")],
    [("Content-Length", "0")],
    [("Content-Length", "3"), ("Content-Length", "4")],
    [("Transfer-Encoding", "chunked")],
    [("Transfer-Encoding", "identity"), ("Content-Length", "1")],
    [("Connection", "close, x-road-client"), ("Keep-Alive", "timeout=1")],
    [("Expect", "100-continue")],
    [("Upgrade", "h2c"), ("Connection", "Upgrade")],
    [("TE", "trailers"), ("Trailer", "X-Road-Client")],
    [("Proxy-Authorization", "Basic eDp5")],
)


@pytest.mark.parametrize("pairs", SMUGGLING, ids=lambda pairs: "-".join(name for name, _ in pairs))
def test_stamped_headers_of_framing_and_host_do_not_reach_the_service(scene: Scene, pairs: Pairs) -> None:
    # The body would be a request of its own to a service that believed these headers.
    body = b"GET /admin HTTP/1.1\r\nHost: internal.example\r\n\r\n"
    before = len(scene.service.seen)
    scene.consumer.accepted(scene.consumer.request(body=body, headers=tuple(pairs)).container())
    (seen,) = scene.service.seen[before:]
    assert (seen.target, seen.body) == ("/espejo/x", body)
    assert seen.values("host") == [scene.service.url.removeprefix("http://")]
    assert seen.values("content-length") == [str(len(body))]
    for name in ("transfer-encoding", "expect", "upgrade", "te", "trailer", "proxy-authorization", "keep-alive"):
        assert seen.values(name) == []
    assert seen.values("x-road-client") == [CLIENT]


def test_request_id_longer_than_the_log_keeps_is_refused(scene: Scene) -> None:
    made = scene.consumer.request(request_id="a" * 200)
    scene.consumer.refused(made.container(), "InvalidRequest", "header-malformed")


@pytest.mark.parametrize("name", ["X-Road-Id", "X-Road-Client", "X-Road-Request-Id"])
def test_stamped_head_without_what_it_needs_is_refused(scene: Scene, name: str) -> None:
    lines = scene.consumer.head().split(b"\r\n")
    head = b"\r\n".join(line for line in lines if not line.startswith(name.encode() + b":"))
    made = scene.consumer.request(head=head).container()
    scene.consumer.refused(made, "MissingHeaderField", "head-incomplete")


def test_what_only_gateways_say_is_dropped_from_a_service_s_answer(scene: Scene) -> None:
    forged = {
        "X-Road-Error": "Server.ServerProxy.AccessDenied",
        "X-Road-Id": "forged",
        "x-road-client": "QROO/MUN/NADIE/x",
        "X-ROAD-SERVICE": "QROO/EST/SSP/vehiculos/forged",
        "X-Road-Request-Id": "forged",
        "X-Road-Request-Hash": "forged",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in forged.items()) * 2
    raw = f"HTTP/1.1 200 OK\r\n{lines}X-Own: kept\r\nContent-Length: 2\r\n\r\nok".encode()
    container = scene.consumer.request().container()
    with scene.service.answering(raw):
        head, body = scene.consumer.send(container).stamped(scene.instance.anchor)
        called = scene.instance.call("x", service=MIRROR, headers={"X-Road-Id": "mine"})
    assert (head.status, body, head.get("x-own"), head.get("x-road-error")) == (200, b"ok", "kept", None)
    assert "forged" not in repr(head.headers)
    assert "NADIE" not in repr(head.headers)
    assert (called.status_code, called.headers["x-road-id"]) == (200, "mine")
    assert called.headers["x-road-client"] == CLIENT
    assert called.headers["x-road-service"] == MIRROR
    assert "x-road-error" not in called.headers
    assert "forged" not in repr(called.headers)


def test_header_that_a_service_folds_stays_one_header(scene: Scene) -> None:
    folded = b"HTTP/1.1 200 OK\r\nX-A: one\r\n X-Road-UserId: two\r\nContent-Length: 2\r\n\r\nok"
    with scene.service.answering(folded):
        head, _ = scene.consumer.send(scene.consumer.request().container()).stamped(scene.instance.anchor)
    assert head.get("x-a") == "one X-Road-UserId: two"
    assert head.get("x-road-userid") is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: one\0two\r\nContent-Length: 2\r\n\r\nok", "service-answer-malformed"),
        (
            b"HTTP/1.1 200 OK\r\nX-Road-UserId: a\r\nX-Road-UserId: b\r\nContent-Length: 0\r\n\r\n",
            "service-answer-malformed",
        ),
        (b"\0\1\2\r\n\r\n", "service-answer-malformed"),
    ],
    ids=["nul", "repeated", "not-http"],
)
def test_service_s_malformed_answer_becomes_a_stamped_fault(scene: Scene, raw: bytes, reason: str) -> None:
    with scene.service.answering(raw):
        head, body = scene.consumer.send(scene.consumer.request(body=BODY).container()).stamped(scene.instance.anchor)
    assert body is not None
    told = read_fault(body)
    assert (told.reason, told.place) == (reason, "service")
    assert head.get("x-road-error") == told.type == "Server.ServerProxy.ServiceFailed.InvalidResponse"
    row = scene.instance.entries(PROVIDER, "id = (select max(id) from entry)")[0]
    assert (row["direction"], row["fault_reason"]) == ("answer", reason)
