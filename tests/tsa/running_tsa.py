"""A time-stamping authority as the real process, started from a settings file."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.pki import Credential

QUERY_TYPE = "application/timestamp-query"
START_SECONDS = 30.0


def write_settings(folder: Path, tsa: Credential, *, more: str = "", listen: str = "port = 0") -> Path:
    """Write key, certificate (with those above it) and a settings file with free ports; the settings file's path."""
    certificate, key = tsa.write(folder, "tsa")
    settings = folder / "tsa.toml"
    settings.write_text(
        f'[signing]\ncertificate = "{certificate.name}"\nkey = "{key.name}"\n'
        f"{more}\n[listen]\n{listen}\n[management]\nport = 0\n"
    )
    return settings


def command(settings: Path) -> list[str]:
    """The command line that serves with these settings."""
    return [sys.executable, "-m", "xacbe", "tsa", "serve", "--config", str(settings)]


class RunningTsa:
    """The process between its start and its end; a context manager that waits for the listeners."""

    def __init__(self, settings: Path) -> None:
        self.log_file = settings.with_suffix(".log")
        self._log = self.log_file.open("wb")
        self.process = subprocess.Popen(command(settings), stderr=self._log)
        self.url = ""
        self.management_url = ""

    def __enter__(self) -> "RunningTsa":
        try:
            addresses = self._addresses()
        except BaseException:
            self.kill()
            raise
        self.url = addresses["time-stamp requests"] + "/"
        self.management_url = addresses["management"]
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _addresses(self) -> dict[str, str]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            found = {
                entry["listener"]: entry["address"] for entry in self.log_entries() if entry["event"] == "listening"
            }
            if len(found) == 2:
                return found
            time.sleep(0.02)
        raise AssertionError(f"the authority did not start:\n{self.log_file.read_text()}")

    def log_entries(self) -> list[dict[str, Any]]:
        """The log so far, without a line that is being written."""
        lines = self.log_file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def post(self, request: bytes) -> httpx.Response:
        """Send a time-stamp request."""
        return httpx.post(self.url, content=request, headers={"content-type": QUERY_TYPE}, trust_env=False)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def terminate(self) -> int:
        """Send SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)
