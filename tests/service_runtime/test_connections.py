"""Single connections over real sockets: exact targets, limits, and what never reaches the application."""

import asyncio
import threading
import time
from typing import Any

import pytest

from service_runtime.connections import CONNECTION, REQUEST_TARGET, Limits
from service_runtime.serving import Application, Listener
from tests.service_runtime.live_service import connect, read_all, read_answer


class Recorder:
    """An application that keeps what it was given and answers 200 with the request's body."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.disconnected = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.append(body)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def listener(app: Application, **options: Any) -> Listener:
    return Listener(app, "127.0.0.1", 0, name="systems", setting="systems.port", **options)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/r1/a%2Fb/%2e%2e/../c?x=%20&y", b"/r1/a%2Fb/%2e%2e/../c", b"x=%20&y"),
        (b"//double//slash?", b"//double//slash", b""),
        (b"/a\\b;c", b"/a\\b;c", b""),
    ],
)
def test_targets_arrive_as_they_were_sent(
    serving: Any, recorder: Recorder, target: bytes, path: bytes, query: bytes
) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n" % target)
        status, fields, _ = read_answer(connection)
        here = connection.getsockname()
    scope = recorder.scopes[0]
    assert status == 200
    assert scope["raw_path"] == path
    assert scope["query_string"] == query
    assert scope["extensions"][REQUEST_TARGET] == target
    assert scope["client"] == here
    assert b"server" not in fields
    assert b"date" in fields


def test_a_connection_serves_several_requests(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        for number in range(3):
            body = b"x" * (number * 100_000)
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert read_answer(connection)[2] == body
        assert systems.open_connections == 1


def test_a_head_up_to_the_limit_is_taken(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n" % (b"a" * 65_000))
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n", id="one field"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 7_000 + b"\r\n", id="many fields"),
        pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", id="target"),
        pytest.param(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000, id="unfinished"),
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 1000])
def test_an_over_long_head_is_refused(serving: Any, recorder: Recorder, head: bytes, piece: int) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        try:
            for start in range(0, len(head), piece):
                connection.sendall(head[start : start + piece])
        except (BrokenPipeError, ConnectionResetError):
            pass  # The refusal may come before the last piece.
        answer = read_all(connection)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert recorder.scopes == []


def test_an_over_long_head_is_told_why(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder, limits=Limits(max_head_bytes=1000))
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 1000)
        status, fields, body = read_answer(connection)
        assert (status, fields[b"connection"]) == (431, b"close")
        assert b"1000 bytes" in body


def test_a_slow_head_is_refused(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder, limits=Limits(head_timeout_seconds=1.0))
    with serving(systems), connect(systems) as slow, connect(systems) as silent:
        begun = time.monotonic()
        slow.settimeout(0.2)
        answer = b""
        for octet in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 100:
            # Steady dripping must not buy time.
            try:
                slow.sendall(bytes([octet]))
                answer += slow.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                break
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert 0.9 < time.monotonic() - begun < 4
        assert read_all(silent) == b""
    assert recorder.scopes == []


def test_a_slow_head_on_a_kept_connection_and_blank_lines(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder, limits=Limits(head_timeout_seconds=1.0), keep_alive_seconds=30.0)
    with serving(systems), connect(systems) as slow, connect(systems) as blank, connect(systems) as idle:
        for connection in (slow, blank, idle):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            read_answer(connection)
        slow.sendall(b"GET / HT")
        blank.sendall(b"\r\n")
        assert read_all(slow).startswith(b"HTTP/1.1 408 ")
        assert read_all(blank) == b""
        # An idle connection is another thing: its time is the keep-alive time.
        time.sleep(1.0)
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(idle)[0] == 200


def test_idle_connections_end(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder, keep_alive_seconds=0.5)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        read_answer(connection)
        begun = time.monotonic()
        assert read_all(connection) == b""
        assert 0.3 < time.monotonic() - begun < 3


def test_a_body_that_stands_still_is_refused(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder, limits=Limits(stall_seconds=1.0))
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        for _ in range(4):
            # Progress, even slow, is not standing still.
            time.sleep(0.6)
            connection.sendall(b"a")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")
        assert recorder.disconnected.wait(2)
    assert recorder.bodies == []


def test_a_slow_application_is_not_the_peers_fault(serving: Any) -> None:
    recorder = Recorder()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3.0)
        await recorder(scope, receive, send)

    systems = listener(slow, limits=Limits(stall_seconds=1.5, head_timeout_seconds=1.5))
    body = b"a" * 3_000_000
    with serving(systems), connect(systems) as waiting, connect(systems) as sending:
        waiting.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        sending.settimeout(20)
        sending.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert read_answer(sending)[2] == body
        assert waiting.recv(1000).startswith(b"HTTP/1.1 100 ")
        waiting.sendall(b"abc")
        assert read_answer(waiting)[2] == b"abc"


def test_a_peer_that_does_not_take_its_answer_is_cut(serving: Any) -> None:
    finished = threading.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        finished.set()

    systems = listener(endless, limits=Limits(stall_seconds=1.0))
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert finished.wait(8), "the application hangs on a peer that takes nothing"
        assert systems.open_connections == 0


def test_trailing_fields_never_reach_the_application(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.sendall(b"0\r\nX-Road-Client: A/B/C/D\r\n\r\n")
        assert read_answer(connection)[2] == b"abc"
    assert [name for name, _ in recorder.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("flood", [b"3;" + b"e" * 2_000, b"0\r\nX-T: " + b"a" * 2_000, b"0\r\n" + b"X-T: 1\r\n" * 300])
def test_endless_framing_is_refused(serving: Any, recorder: Recorder, flood: bytes) -> None:
    systems = listener(recorder, limits=Limits(max_head_bytes=1000))
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(flood)
        assert read_all(connection).startswith(b"HTTP/1.1 431 ")
    assert recorder.bodies == []


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
def test_an_offer_to_upgrade_is_ignored_and_loses_no_body(serving: Any, recorder: Recorder, framing: bytes) -> None:
    systems = listener(recorder)
    request = b"POST /p?q HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + framing
    with serving(systems), connect(systems) as connection:
        for _ in range(2):
            connection.sendall(request)
            status, _, body = read_answer(connection)
            assert (status, body) == (200, b"abc")
        for start in range(0, len(request), 7):
            connection.sendall(request[start : start + 7])
            time.sleep(0.001)
        assert read_answer(connection)[2] == b"abc"
    assert len(recorder.scopes) == 3
    assert b"upgrade" not in dict(recorder.scopes[0]["headers"])
    assert recorder.scopes[0]["extensions"][REQUEST_TARGET] == b"/p?q"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /\xc3\xb1 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", b"400"),
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
    ],
)
def test_what_is_not_a_request_is_refused(
    serving: Any, recorder: Recorder, request_bytes: bytes, status: bytes
) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        connection.sendall(request_bytes)
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.count(b"content-length:") == 1
    assert recorder.scopes == []


def test_a_bad_second_request_does_not_answer_for_the_first(serving: Any) -> None:
    release = threading.Event()

    async def held(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(release.wait, 5)
        await Recorder()(scope, receive, send)

    systems = listener(held)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second NONSENSE\r\n\r\n")
        assert read_all(connection) == b""
        release.set()


@pytest.mark.parametrize("finish_answer", [False, True])
def test_an_application_can_end_its_connection(serving: Any, finish_answer: bool) -> None:
    async def ends(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"][CONNECTION].close(finish_answer=finish_answer)
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    systems = listener(ends)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 403 ") is finish_answer
    assert (b"connection: close" in answer) is finish_answer


def test_http_1_0_is_answered_and_closed(serving: Any, recorder: Recorder) -> None:
    systems = listener(recorder)
    with serving(systems), connect(systems) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_a_crowd_of_offers_to_upgrade_is_refused(serving: Any, recorder: Recorder) -> None:
    """Each costs a copy of all that came after it, so thousands in one piece would hold everybody up."""
    systems = listener(recorder)
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    started = time.monotonic()
    with serving(systems), connect(systems) as connection:
        connection.sendall(request * 500)
        assert b"HTTP/1.1 200" not in read_all(connection)[4096:]
    assert time.monotonic() - started < 5
    assert len(recorder.scopes) < 50
