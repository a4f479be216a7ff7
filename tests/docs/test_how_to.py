"""The guides of docs/how-to, run as they stand: every file written, every command executed, every process started."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.docs.guides import Step, steps, write
from tests.requirements_of_tests import require_tool
from tests.xacbe.running_demo import free_ports, running_demo
from xacbe.demo_ports import Ports

FROM_NOTHING = ("set-up-an-instance", "join-a-gateway", "offer-a-service", "connect-an-information-system")
BESIDE_A_DEMO = ("call-a-service", "verify-evidence", "revoke-and-suspend")
OPERATIONS = "../operations/README"
DEFAULT_PORTS = (4001, 5500, 5588, 5589, 5590, 5591, 8080, 8443, 8888, 8899, 9090)
LISTENERS = {
    "XACBE_REGISTRY__LISTEN__PORT": 4001,
    "XACBE_REGISTRY__MANAGEMENT__PORT": 5589,
    "XACBE_TSA__LISTEN__PORT": 8899,
    "XACBE_TSA__MANAGEMENT__PORT": 5590,
    "XACBE_OCSP__LISTEN__PORT": 8888,
    "XACBE_OCSP__MANAGEMENT__PORT": 5591,
    "XACBE_GATEWAY__LISTENERS__PEERS__PORT": 5500,
    "XACBE_GATEWAY__LISTENERS__MANAGEMENT__PORT": 5588,
    "XACBE_GATEWAY__LISTENERS__INFORMATION_SYSTEMS_HTTP__PORT": 8080,
}
READY = {"registry": 5589, "tsa": 5590, "ocsp": 5591, "gateway": 5588}
READY_SECONDS = 60.0


class Reader:
    """Someone who follows guides in one folder; ports that guides leave to their defaults come from the environment."""

    def __init__(self, folder: Path, ports: Ports, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.ports = {default: ports.base + default for default in DEFAULT_PORTS}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "no_proxy": "*", **environment}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.said: list[str] = []

    def follow(self, guide: str) -> str:
        """Do what the guide says; returns what its commands wrote to stdout."""
        begins = len(self.said)
        for step in steps(guide, self.ports):
            if step.file is not None:
                write(step, self.folder)
            elif step.stays:
                self._start(step.text)
            else:
                self._wait_until_ready()
                self._run(step)
        return "".join(self.said[begins:])

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=60)

    def _run(self, step: Step) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step.text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{step.text}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
        self.said.append(done.stdout)

    def _start(self, command: str) -> None:
        if command in self.processes:  # the guide says: restart
            self.processes[command].terminate()
            assert self.processes[command].wait(timeout=60) == 0
        with (self.folder / "processes.log").open("ab") as log:
            self.processes[command] = subprocess.Popen(
                command.split(), cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for command, process in self.processes.items():
            words = command.split()
            if words[0] == "xacbe":
                while not _answers(f"http://127.0.0.1:{self.ports[READY[words[1]]]}/health/ready"):
                    self._require_patience(command, process, deadline)
            else:
                while not _answers(f"http://127.0.0.1:{self.ports[9090]}/health"):
                    self._require_patience(command, process, deadline)

    def _require_patience(self, command: str, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        log = (self.folder / "processes.log").read_text("utf-8", "replace")[-2000:]
        assert process.poll() is None, f"{command} ended: {log}"
        assert time.monotonic() < deadline, f"{command} is not ready: {log}"
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2.0).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def a_reader(folder: Path, ports: Ports, environment: Mapping[str, str]) -> Iterator[Reader]:
    for tool in ("bash", "curl", "openssl", "sed"):
        require_tool(tool)
    reader = Reader(folder, ports, environment)
    try:
        yield reader
    finally:
        reader.stop()


def test_an_instance_from_nothing_to_a_call_over_https(tmp_path: Path) -> None:
    ports = free_ports()
    environment = {name: str(ports.base + default) for name, default in LISTENERS.items()}
    with a_reader(tmp_path, ports, environment) as reader:
        said = {guide: reader.follow(guide) for guide in (*FROM_NOTHING, OPERATIONS)}
    assert said["set-up-an-instance"].count('"ready": true') == 3
    assert '"ready": true' in said["join-a-gateway"]
    assert '"placa": "UTR-123-A"' in said["offer-a-service"]
    assert '"placa": "UTR-123-A"' in said["connect-an-information-system"]
    assert 'xacbe_exchanges_total{outcome="answered",side="consumer"}' in said[OPERATIONS]


def test_calls_evidence_and_revocation_beside_a_demo(tmp_path: Path, project_root: Path) -> None:
    with running_demo(project_root, tmp_path) as demo:
        gateway = {"XACBE_GATEWAY": demo.gateway}
        with a_reader(tmp_path, demo.ports, gateway) as reader:
            said = {guide: reader.follow(guide) for guide in BESIDE_A_DEMO}
    assert "True\naccess-denied - provider gateway" in said["call-a-service"]
    assert "-response-" in said["call-a-service"]
    verified = said["verify-evidence"]
    assert verified.count("VALID") == 2
    assert "signer.pem: OK" in verified
    assert "Time stamp: " in verified
    assert "signer.pem: good" in verified
    refused = said["revoke-and-suspend"]
    assert refused.index('"reason": "member-suspended"') < refused.index('"placa": "UTR-123-A"')
    assert refused.index('"placa": "UTR-123-A"') < refused.index('"reason": "certificate-revoked"')


def test_every_guide_is_run_and_indexed(project_root: Path) -> None:
    guides = {path.stem for path in (project_root / "docs/how-to").glob("*.md")} - {"README"}
    assert guides == {*FROM_NOTHING, *BESIDE_A_DEMO}
    index = (project_root / "docs/how-to/README.md").read_text(encoding="utf-8")
    assert [guide for guide in sorted(guides) if f"({guide}.md)" not in index] == []


@pytest.mark.parametrize("guide", [*FROM_NOTHING, *BESIDE_A_DEMO])
def test_a_guide_has_steps(guide: str) -> None:
    assert len(list(steps(guide, {}))) >= 3
