"""The demo as its users start it: a process, on ports of its own, with everything it starts."""

import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from xacbe.demo_ports import CONSUMER, Ports, PortTakenError

READY_SECONDS = 60.0


def free_ports() -> Ports:
    """Ports that nobody uses now, below those that the system hands out by itself."""
    for _ in range(100):
        ports = Ports(random.randrange(2000, 22000, 20))
        try:
            ports.require_free()
        except PortTakenError:
            continue
        return ports
    raise AssertionError("no free range of ports")


@dataclass
class RunningDemo:
    """A demo that is ready."""

    process: "subprocess.Popen[str]"
    ports: Ports
    directory: Path
    evidence: Path
    output: str

    @property
    def gateway(self) -> str:
        """The consumer gateway's address for information systems."""
        return self.ports.information_systems(CONSUMER).url

    def children(self) -> list[psutil.Process]:
        """The processes that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running_demo(root: Path, folder: Path) -> Iterator[RunningDemo]:
    """Start a demo in `folder`, wait until it stays, and at the end stop it with Ctrl-C's signal if it still runs."""
    ports = free_ports()
    directory, evidence = folder / "demo", folder / "evidence"
    command = [sys.executable, "-m", "xacbe", "demo", "--port-base", str(ports.base)]
    command += ["--directory", str(directory), "--evidence", str(evidence)]
    with (folder / "stdout").open("w") as output:
        process = subprocess.Popen(command, cwd=root, stdout=output, stderr=subprocess.PIPE, text=True)
        watchdog = threading.Timer(READY_SECONDS, process.kill)
        watchdog.start()
        said: list[str] = []
        try:
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if "Stop with Ctrl-C" in line:
                    break
            else:
                raise AssertionError("".join(said) + (folder / "stdout").read_text())
            watchdog.cancel()
            yield RunningDemo(process, ports, directory, evidence, (folder / "stdout").read_text())
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(30)
            if process.stderr is not None:
                process.stderr.close()


def curl_lines(text: str) -> list[str]:
    """Every line of a document or an output that is a curl command."""
    return re.findall(r"^\s*(curl .*)$", text, flags=re.MULTILINE)
