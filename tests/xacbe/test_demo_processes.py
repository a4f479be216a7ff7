"""Processes that the demo watches: who is not ready is told by its reason, who is stuck is killed."""

import sys
import time
from pathlib import Path

import pytest

from xacbe import demo_processes
from xacbe.demo_processes import NotReadyError, ProcessDiedError, supervised

UNREADY = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"checks": [{"name": "database", "ok": False, "reason": "not-migrated"},
                                      {"name": "clock", "ok": True, "reason": ""}]}).encode()
        self.send_response(503); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(__import__("sys").argv[1], "w").write(str(server.server_port))
server.serve_forever()
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write("up")
time.sleep(100)
"""


def _wait_for(file: Path) -> str:
    for _ in range(200):
        if file.exists() and (text := file.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{file} did not appear")


def test_what_a_process_waits_for_is_told(tmp_path: Path) -> None:
    with supervised(tmp_path) as processes:
        port_file = tmp_path / "port"
        process = processes.start("odd one", [sys.executable, "-c", UNREADY, str(port_file)], ready="")
        address = f"http://127.0.0.1:{_wait_for(port_file)}/health/ready"
        processes.running[0] = demo_processes.Process(process.name, process.handle, process.log, address)
        with pytest.raises(NotReadyError) as caught:
            processes.wait_until_ready(0.5, lambda states: None)
    assert "odd one: database: not-migrated" in caught.value.message
    assert "clock" not in caught.value.message


def test_the_last_words_of_a_process_that_died_are_told(tmp_path: Path) -> None:
    with supervised(tmp_path) as processes:
        processes.start("short", [sys.executable, "-c", "print('farewell'); raise SystemExit(4)"], ready="http://x")
        with pytest.raises(ProcessDiedError) as caught:
            processes.wait_until_ready(20, lambda states: None)
    assert "'short' ended with exit code 4" in caught.value.message
    assert "farewell" in caught.value.message


def test_a_process_that_does_not_drain_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_processes, "_STOP_SECONDS", 0.3)
    with supervised(tmp_path) as processes:
        process = processes.start("stubborn", [sys.executable, "-c", STUBBORN, str(tmp_path / "up")], ready="http://x")
        _wait_for(tmp_path / "up")
    assert process.handle.returncode == -9
