"""Listeners together: starting all or none, draining on a signal in a real process, closing a peer's connections."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service_runtime.errors import BackgroundTaskError, ListenError
from service_runtime.serving import Listener, run, serve
from service_runtime.tls import client_context, server_context
from tests.service_runtime.authority import Authority
from tests.service_runtime.live_service import connect, read_all, read_answer

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def ok(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def listener(name: str = "systems", port: int = 0, **options: Any) -> Listener:
    return Listener(options.pop("app", ok), "127.0.0.1", port, name=name, setting=f"{name}.port", **options)


class Process:
    """The sample service in a process of its own."""

    def __init__(self, project_root: Path, log: Path, *arguments: str) -> None:
        program = [sys.executable, "-m", "tests.service_runtime.sample_service", *arguments]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(program, cwd=project_root, stdout=subprocess.PIPE, stderr=errors, text=True)

    def line(self) -> str:
        """The next line it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def sample(project_root: Path, folder: Path, drain: float) -> Iterator[tuple[Process, Listener, int]]:
    process = Process(project_root, folder / "log", "0", "0", str(drain))
    try:
        word, port, management = process.line().split()
        assert word == "ready"
        yield process, listener(port=int(port)), int(management)
    finally:
        process.process.kill()
        process.process.wait()


def readiness(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(project_root: Path, tmp_path: Path, number: signal.Signals) -> None:
    with sample(project_root, tmp_path, 10) as (process, systems, management):
        idle, busy = connect(systems), connect(systems, timeout=10)
        idle.sendall(REQUEST)
        assert read_answer(idle)[0] == 200
        assert readiness(management)[0] == 200
        busy.sendall(b"GET /slow?1.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert process.line() == "slow begun"
        process.process.send_signal(number)
        assert read_all(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(systems)
        status, state = readiness(management)
        assert status == 503
        assert state["checks"][-1]["reason"] == "draining"
        status, fields, body = read_answer(busy)
        assert (status, fields[b"connection"], body) == (200, b"close", b"ok")
        assert [process.line() for _ in range(3)] == ["background cancelled", "stop hook", "ended"]
        assert process.process.wait(5) == 0
        with pytest.raises(urllib.error.URLError):
            readiness(management)
        events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
        assert "stop-hook-failed" in events


@pytest.mark.parametrize(("drain", "signals"), [(0.5, 1), (60, 2)])
def test_draining_ends_by_its_time_or_a_second_signal(
    project_root: Path, tmp_path: Path, drain: float, signals: int
) -> None:
    with sample(project_root, tmp_path, drain) as (process, systems, _):
        busy = connect(systems)
        busy.sendall(b"GET /slow?60 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert process.line() == "slow begun"
        begun = time.monotonic()
        for _ in range(signals):
            process.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert b" 200 " not in read_all(busy)
        assert process.process.wait(8) == 0
        assert time.monotonic() - begun < 8
        log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert [entry["requests"] for entry in log if entry["event"] == "requests-cut-short"] == [1]


def test_a_busy_port_is_named_with_the_setting_that_moves_it(project_root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = Process(project_root, tmp_path / "log", "0", str(port), "1")
        said = process.line()
        assert process.process.wait(10) == 1
    assert said.startswith("address-in-use: ")
    assert f"127.0.0.1:{port}" in said
    assert "management.port" in said


def test_all_listen_or_none_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        started: list[str] = []
        first, second = listener("first"), listener("second", taken.getsockname()[1])

        async def work() -> None:
            started.append("work")

        with pytest.raises(ListenError) as caught:
            run(serve([first, second], background=[work]))
        assert caught.value.reason == "address-in-use"
        assert started == []
        with pytest.raises(ConnectionRefusedError):
            connect(first)


def test_a_host_of_another_machine_is_refused() -> None:
    elsewhere = Listener(ok, "192.0.2.1", 0, name="peers", setting="peers.port")
    with pytest.raises(ListenError) as caught:
        elsewhere.bind()
    assert caught.value.reason == "address-unusable"
    assert "192.0.2.1" in caught.value.message
    unknown = Listener(ok, "no-such-host.invalid", 0, name="peers", setting="peers.port")
    with pytest.raises(ListenError):
        unknown.bind()


def test_a_port_can_be_taken_again_at_once(serving: Any) -> None:
    first = listener()
    with serving(first), connect(first) as connection:
        connection.sendall(REQUEST)
        read_answer(connection)
    # The server closed first, so its side of that connection lingers in TIME_WAIT.
    again = listener(port=first.address[1])
    with serving(again), connect(again) as connection:
        connection.sendall(REQUEST)
        assert read_answer(connection)[2] == b"ok"


def test_a_failing_background_task_stops_the_service() -> None:
    stopped: list[str] = []

    async def refresh() -> None:
        await asyncio.sleep(0.1)
        raise RuntimeError("catalogue gone")

    async def short() -> None:
        """A task may end by itself."""

    async def hook() -> None:
        stopped.append("hook")

    with pytest.raises(BackgroundTaskError) as caught:
        run(serve([listener()], background=[short, refresh], on_stop=[hook], drain_seconds=1))
    assert caught.value.reason == "background-task-failed"
    assert "refresh" in caught.value.message
    assert stopped == ["hook"]


def test_a_suspended_peers_connections_end_and_no_others(authority: Authority, serving: Any) -> None:
    server, good, bad = (authority.issue(name) for name in ("server", "good", "bad"))
    cut_off = threading.Event()

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            await receive()
            if (await receive())["type"] == "http.disconnect":
                cut_off.set()
            return
        await ok(scope, receive, send)

    peers = listener(
        "peers", app=waiting, ssl_context=server_context(server.identity, client_cas=[authority.certificate])
    )
    with serving(peers) as running:

        def dial(who: Any) -> socket.socket:
            context = client_context(server_cas=[authority.certificate], identity=who.identity)
            connection = connect(peers, context)
            connection.sendall(REQUEST)
            assert read_answer(connection)[0] == 200
            return connection

        kept, idle, busy = dial(good), dial(bad), dial(bad)
        busy.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        assert peers.open_connections == 3
        assert running.call(lambda: peers.close_connections(lambda certificate: certificate == bad.der)) == 2
        assert read_all(idle) == read_all(busy) == b""
        assert cut_off.wait(2)
        kept.sendall(REQUEST)
        assert read_answer(kept)[0] == 200
        assert peers.open_connections == 1
        for connection in (kept, idle, busy):
            connection.close()


def test_a_silent_tls_peer_does_not_hold_up_the_drain(authority: Authority, serving: Any) -> None:
    peers = listener("peers", ssl_context=server_context(authority.issue("server").identity))
    with serving(peers, drain_seconds=10.0), connect(peers, client_context(server_cas=[authority.certificate])) as idle:
        idle.sendall(REQUEST)
        read_answer(idle)
        begun = time.monotonic()
    # It never answers the closing of the TLS session, as a peer that has lost its network would not.
    assert time.monotonic() - begun < 3


def test_plain_text_on_a_tls_port_is_only_cut(authority: Authority, serving: Any) -> None:
    peers = listener("peers", ssl_context=server_context(authority.issue("server").identity))
    with serving(peers):
        with connect(peers) as plain:
            plain.sendall(REQUEST)
            assert not read_all(plain).startswith(b"HTTP/")
        with connect(peers, client_context(server_cas=[authority.certificate])) as proper:
            proper.sendall(REQUEST)
            assert read_answer(proper)[0] == 200


def test_answers_cut_within_a_stopping_service_are_no_half_truths(serving: Any) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await asyncio.sleep(60)

    systems = listener(app=endless)
    with serving(systems, drain_seconds=0.2) as running:
        connection = connect(systems)
        connection.sendall(REQUEST)
        time.sleep(0.2)
        running.stop()
        # Without its last chunk the client knows that the answer is not whole.
        assert not read_all(connection).endswith(b"0\r\n\r\n")
        connection.close()
