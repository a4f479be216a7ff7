"""A whole instance, started as `xacbe demo` starts it: every process real, over real sockets and TLS.

The fixture `instance` is shared by a test run's modules; whoever stops or changes something in it puts it back, or
uses `own_instance`. The keys of all parties lie in its folder, so a test can be any of them, also a hostile one.
"""

import io
import random
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.verification import Policy, verify_catalogue
from xacbe.demo_files import CLIENT, SERVICE, WITHOUT_RIGHT
from xacbe.demo_ports import CONSUMER, PROVIDER, Ports, PortTakenError
from xacbe.demo_processes import Process, Processes
from xacbe.demo_setup import Setup

__all__ = ["CLIENT", "CONSUMER", "PROVIDER", "SERVICE", "WITHOUT_RIGHT", "RunningInstance", "instance", "own_instance"]

READY_SECONDS = 60.0
PLATE = "UTR-123-A"


class RunningInstance:
    """The processes of one instance; names are those of the demo ("registry", "tsa", "ocsp", CONSUMER, PROVIDER, …)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = _free_ports()
        self.setup = Setup(folder, self.ports)
        (folder / "logs").mkdir(exist_ok=True)
        self.processes = Processes(folder / "logs")

    def start(self) -> None:
        """Set up and start everything; returns when all are ready."""
        self.setup.start(self.processes, lambda _: None)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until every process that runs is ready."""
        self.processes.wait_until_ready(READY_SECONDS, lambda _: None)

    def process(self, name: str) -> Process:
        """The running process of this name."""
        return next(each for each in self.processes.running if each.name == name)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> Process:
        """End one process and forget it; SIGKILL is `kill -9`."""
        process = self.process(name)
        process.handle.send_signal(how)
        process.handle.wait(timeout=60)
        self.processes.running.remove(process)
        return process

    def start_again(self, stopped: Process) -> None:
        """Start a process that was stopped, as it was started before; returns when it is ready."""
        self.processes.start(stopped.name, list(map(str, stopped.handle.args)), ready=stopped.ready)  # type: ignore[arg-type]
        self.wait_until_ready()

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """While the block runs, this process does not."""
        stopped = self.stop(name)
        try:
            yield
        finally:
            self.start_again(stopped)

    def state_of(self, gateway: str) -> Path:
        """A gateway's state folder, with its keys."""
        return self.folder / gateway.replace(" ", "-") / "state"

    @property
    def registry_state(self) -> Path:
        """The registry's state folder, with everybody else's keys."""
        return self.setup.registry_state

    @property
    def anchor(self) -> TrustAnchor:
        """The instance's trust anchor."""
        return TrustAnchor.load((self.registry_state / "anchor.json").read_bytes())

    def url(self, gateway: str = CONSUMER) -> str:
        """Where a gateway listens for information systems."""
        return self.ports.information_systems(gateway).url

    def call(
        self,
        path: str = PLATE,
        *,
        service: str = SERVICE,
        client: str = CLIENT,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> httpx.Response:
        """A call as an information system makes it: plain HTTP to the consumer's gateway."""
        return httpx.request(
            method,
            f"{self.url()}/r1/{service}/{path}",
            headers={"X-Road-Client": client, **(headers or {})},
            content=content,
            timeout=timeout,
            trust_env=False,
        )

    def xacbe(self, *arguments: str | Path) -> str:
        """Run a command as its users do; returns its stdout, fails the test when it fails."""
        command = [sys.executable, "-m", "xacbe", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def catalogue_of(self, gateway: str) -> Catalogue:
        """The catalogue by which a gateway decides, as it tells its information systems."""
        download = httpx.get(f"{self.url(gateway)}/verificationconf", trust_env=False).raise_for_status().content
        with zipfile.ZipFile(io.BytesIO(download)) as archive:
            container = archive.read("catalogue.asice")
        _, catalogue = verify_catalogue(container, self.anchor, Policy(datetime.now(UTC)))
        assert catalogue is not None
        return catalogue

    def registry(self, command: str, *arguments: str | Path) -> str:
        """`xacbe registry COMMAND … --config` of this instance."""
        return self.xacbe(
            "registry", *command.split(), "--config", self.folder / "registry" / "registry.toml", *arguments
        )

    def apply(self, gateway: str, text: str) -> None:
        """`xacbe gateway apply`: the gateway's whole services, rights and information systems from now on."""
        folder = self.state_of(gateway).parent
        file = folder / "services-of-a-test.toml"
        file.write_text(text, encoding="utf-8")
        self.xacbe("gateway", "apply", "--config", folder / "gateway.toml", file)

    def entries(self, gateway: str, where: str = "1=1", *values: object) -> list[dict[str, Any]]:
        """Rows of a gateway's query log, oldest first; `where` is SQL over the table entry."""
        return self._rows(gateway, f"select * from entry where {where} order by id", values)

    def refusals(self, gateway: str, where: str = "1=1", *values: object) -> list[dict[str, Any]]:
        """Rows of what a gateway turned away, oldest first."""
        return self._rows(gateway, f"select * from refusal where {where} order by id", values)

    def _rows(self, gateway: str, query: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
        file = self.state_of(gateway) / "gateway.sqlite3"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]


def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something happened; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} seconds"
        time.sleep(0.05)


@contextmanager
def running(folder: Path) -> Iterator[RunningInstance]:
    """An instance in `folder` that is ended, whatever happens."""
    started = RunningInstance(folder)
    try:
        started.start()
        yield started
    finally:
        started.processes.stop()


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInstance]:
    """The instance that tests share. Leave it as it was found."""
    with running(tmp_path_factory.mktemp("instance")) as started:
        yield started


@pytest.fixture
def own_instance(tmp_path: Path) -> Iterator[RunningInstance]:
    """An instance for one test alone, to break as it likes."""
    with running(tmp_path) as started:
        yield started


def _free_ports() -> Ports:
    for _ in range(50):
        # Every port stays below 32768: from there on, the system takes ports for outgoing connections at any moment.
        ports = Ports(random.randrange(11000, 23600, 100))
        try:
            ports.require_free()
        except PortTakenError:
            continue
        return ports
    raise AssertionError("no fifteen free ports were found")
