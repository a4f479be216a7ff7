"""Sets the demo's instance up with the commands that administrators use, and starts its processes."""

import io
import shlex
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx

from member_sdk import Evidence
from xacbe import demo_files
from xacbe.demo_ports import CONSUMER, PROVIDER, Listener, Ports
from xacbe.demo_processes import Processes

Tell = Callable[[str], None]


class SetupError(Exception):
    """One of the commands that set the instance up failed."""

    def __init__(self, command: str, said: str) -> None:
        self.reason = "setup-failed"
        self.message = f"The demo could not be set up; this command failed:\n    {command}\n{said.rstrip()}\n"
        self.advice = "This is a fault of the demo unless the disk is full or its folder was touched: report it."
        super().__init__(self.message)


def _xacbe(*arguments: str | Path) -> str:
    """Run one `xacbe` command as its users do, but in this process, which saves each the start; returns its output."""
    from xacbe.main import run

    words = [str(argument) for argument in arguments]
    output, said = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(said):
        code = run(words)
    if code != 0:
        raise SetupError(f"xacbe {shlex.join(words)}", said.getvalue())
    return output.getvalue()


@dataclass(frozen=True, slots=True)
class Setup:
    """One demo: its folder and its ports."""

    directory: Path
    ports: Ports

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.directory / "logs"

    @property
    def registry_state(self) -> Path:
        """The folder that `xacbe registry init` makes."""
        return self.directory / "registry" / "state"

    def start(self, processes: Processes, tell: Tell) -> None:
        """Set everything up and start each process as soon as what it needs is there.

        Raises SetupError. The processes still have to become ready.
        """
        self.logs.mkdir(exist_ok=True)
        self._start_vehicles(processes)
        tell("Making the registry's keys and certificates")
        self._make_registry()
        # These start while the members are enrolled: starting takes a second of processor time each.
        self._start_trust_services(processes)
        tell("Enrolling the two members")
        _xacbe("registry", "apply", "--config", self._registry, self._registry.with_name("members.toml"))
        for gateway in (CONSUMER, PROVIDER):
            self._enrol(gateway)
            settings = self._settings_of(gateway)
            management = self.ports.gateway_management(gateway)
            self._start(processes, gateway, ["gateway", "serve", "--config", settings], management)
        tell("Waiting for all processes to be ready")

    def leave_evidence(self, evidence: Evidence, folder: Path) -> None:
        """Write the evidence and all that verifies it, with our software or others', into a folder."""
        evidence.save(folder)
        handed_over = self.registry_state / "trust-services"
        for name, source in (
            ("issuing-ca.pem", self.registry_state / "issuing-ca" / "certificate.pem"),
            ("root-ca.pem", self.registry_state / "root" / "certificate.pem"),
            ("tsa.pem", handed_over / "tsa" / "certificate.pem"),
            ("ocsp.pem", handed_over / "ocsp" / "certificate.pem"),
        ):
            shutil.copyfile(source, folder / name)
        address = f"{self.ports.information_systems(CONSUMER).url}/verificationconf"
        answer = httpx.get(address, trust_env=False).raise_for_status()
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            (folder / "catalogue.asice").write_bytes(archive.read("catalogue.asice"))
        # The anchor comes from the registry, where it was made: a gateway cannot vouch for what it is judged by.
        shutil.copyfile(self.registry_state / "anchor.json", folder / "anchor.json")

    @property
    def _registry(self) -> Path:
        return self._folder("registry") / "registry.toml"

    def _settings_of(self, gateway: str) -> Path:
        return self._folder(gateway) / "gateway.toml"

    def _folder(self, process: str) -> Path:
        return self.directory / process.replace(" ", "-")

    def _write(self, file: Path, text: str) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    @staticmethod
    def _start(processes: Processes, name: str, arguments: list[str | Path], management: Listener) -> None:
        command = [sys.executable, "-m", "xacbe", *(str(argument) for argument in arguments)]
        processes.start(name, command, ready=f"{management.url}/health/ready")

    def _start_vehicles(self, processes: Processes) -> None:
        folder = self._folder("vehicles")
        folder.mkdir()
        listener = self.ports.vehicles
        command = [sys.executable, "-m", "examples.vehicles", "--port", str(listener.port)]
        command += ["--database", str(folder / "vehicles.sqlite")]
        processes.start("vehicles", command, ready=f"{listener.url}/health")

    def _make_registry(self) -> None:
        self._write(self._registry, demo_files.registry_settings(self.ports))
        self._write(self._registry.with_name("members.toml"), demo_files.registration(self.ports))
        _xacbe("registry", "init", "--config", self._registry)

    def _start_trust_services(self, processes: Processes) -> None:
        management = self.ports.registry_management
        self._start(processes, "registry", ["registry", "serve", "--config", self._registry], management)
        handed_over = self.registry_state / "trust-services"
        tsa, ocsp = self._folder("tsa") / "tsa.toml", self._folder("ocsp") / "ocsp.toml"
        self._write(tsa, demo_files.tsa_settings(self.ports, handed_over / "tsa"))
        self._write(ocsp, demo_files.ocsp_settings(self.ports, handed_over / "ocsp"))
        self._start(processes, "tsa", ["tsa", "serve", "--config", tsa], self.ports.tsa_management)
        self._start(processes, "ocsp", ["ocsp", "serve", "--config", ocsp], self.ports.ocsp_management)

    def _enrol(self, gateway: str) -> None:
        """Give a gateway its identity, in the steps of docs/how-to: each side runs its own commands."""
        settings, server = self._settings_of(gateway), demo_files.SERVERS[gateway]
        state = settings.parent / "state"
        self._write(settings, demo_files.gateway_settings(gateway, self.ports))
        anchor = settings.with_name("anchor-of-the-registry.json")
        _xacbe("registry", "anchor", "--config", self._registry, "--out", anchor)
        _xacbe("gateway", "init", "--config", settings, "--anchor", anchor)
        issued = []
        for request in sorted(state.glob("*.csr")):
            chain = request.with_suffix(".issued.pem")
            order: list[str | Path] = ["--kind", "authentication", "--server", server]
            if request.stem != "authentication":
                order = ["--kind", "signing", "--server", server, "--member", demo_files.MEMBERS[gateway]]
            order += ["--out", request.with_suffix(".certificate.pem"), "--chain", chain]
            _xacbe("registry", "issue", "--config", self._registry, request, *order)
            issued.append(chain)
        _xacbe("gateway", "install", "--config", settings, *issued)
        services = self._write(
            settings.with_name("services.toml"), demo_files.gateway_configuration(gateway, self.ports)
        )
        _xacbe("gateway", "apply", "--config", settings, services)
