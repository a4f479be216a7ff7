"""The real processes of an instance: `xacbe registry serve`, and the TSA and status responder that it needs."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from service_runtime.tls import client_context
from tests.central_registry.a_registry import ARegistry, make_registry, write_settings

START_SECONDS = 30.0


def free_port() -> int:
    """A port that nobody listens on now; the trust anchor and the certificates name ports beforehand."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(happened: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Wait until it happened; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class RunningProcess:
    """An `xacbe … serve` with its log; a context manager that waits until its listeners listen."""

    def __init__(self, arguments: Sequence[str], log_file: Path, listeners: int = 2) -> None:
        self._arguments = [sys.executable, "-m", "xacbe", *arguments]
        self._listeners = listeners
        self.log_file = log_file
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> "RunningProcess":
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(self._arguments, stderr=log)
        until(lambda: self._is_up() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"{self._arguments} ended:\n{self.log_file.read_text()}")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def _is_up(self) -> bool:
        for entry in self.log():
            if entry["event"] == "listening":
                self.addresses[entry["listener"]] = entry["address"]
        return len(self.addresses) == self._listeners

    def log(self) -> list[dict[str, Any]]:
        """The log's entries so far."""
        return [json.loads(line) for line in self.log_file.read_text().split("\n")[:-1]]

    def terminate(self) -> int:
        """Send SIGTERM and wait; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


class Instance:
    """A registry with its settings, and the means to start its processes and to ask it."""

    def __init__(self, folder: Path, *, top: str = "") -> None:
        self.folder = folder
        self.port, self.tsa_port, self.ocsp_port = free_port(), free_port(), free_port()
        config = write_settings(folder, port=self.port, tsa_port=self.tsa_port, ocsp_port=self.ocsp_port, top=top)
        self.registry: ARegistry = make_registry(folder, config)
        self.url = f"https://127.0.0.1:{self.port}"

    @property
    def pinned(self) -> ssl.SSLContext:
        """A context that trusts the anchor's root alone, and checks the registry's name."""
        return client_context(server_cas=[self.registry.anchor.root])

    def get(self, path: str, *, timeout: float = 30.0, **headers: str) -> httpx.Response:
        """Ask the registry as a gateway does."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"{self.url}{path}", headers=names, verify=self.pinned, timeout=timeout, trust_env=False)

    def serve(self) -> RunningProcess:
        """`xacbe registry serve`."""
        arguments = ["registry", "serve", "--config", str(self.registry.config)]
        return RunningProcess(arguments, self.folder / "registry.log")

    def tsa(self) -> RunningProcess:
        """`xacbe tsa serve` with what init left for it."""
        config = self.folder / "tsa.toml"
        config.write_text(
            f"""
[signing]
certificate = "state/trust-services/tsa/chain.pem"
key = "state/trust-services/tsa/key.pem"
enclose_chain = true
[listen]
port = {self.tsa_port}
[management]
port = 0
"""
        )
        return RunningProcess(["tsa", "serve", "--config", str(config)], self.folder / "tsa.log")

    def ocsp(self) -> RunningProcess:
        """`xacbe ocsp serve` with what init left for it."""
        config = self.folder / "ocsp.toml"
        config.write_text(
            f"""
anchor = "state/trust-services/ocsp/anchor.json"
[[issuers]]
certificate = "state/trust-services/ocsp/issuing-ca.pem"
responder_certificate = "state/trust-services/ocsp/certificate.pem"
key = "state/trust-services/ocsp/key.pem"
[[issuers]]
certificate = "state/trust-services/ocsp/root.pem"
responder_certificate = "state/trust-services/ocsp/root-responder.pem"
key = "state/trust-services/ocsp/root-responder-key.pem"
[feed]
file = "feed.json"
poll_seconds = 0.2
[listen]
port = {self.ocsp_port}
[management]
port = 0
"""
        )
        return RunningProcess(["ocsp", "serve", "--config", str(config)], self.folder / "ocsp.log")


def command(*arguments: str, config: Path | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run `xacbe registry …` to its end."""
    configured = ["--config", str(config)] if config else []
    return subprocess.run(
        [sys.executable, "-m", "xacbe", "registry", *arguments, *configured],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


@contextmanager
def running_instance(folder: Path) -> Iterator[tuple[Instance, RunningProcess]]:
    """An instance whose registry, TSA and responder run, and whose first catalogue is out."""
    instance = Instance(folder)
    with instance.serve() as serving, instance.tsa(), instance.ocsp():
        until(lambda: instance.get("/catalogue").status_code == 200)
        yield instance, serving
