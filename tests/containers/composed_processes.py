"""The services of docker-compose.yml as processes of this machine: the very commands, variables and settings files.

Only what a container network gives is replaced. There each service has an address of its own and other services know it
by a name; here each has a loopback address of its own, and names and addresses become that one, in the variables alone.
Ports stay as they are, since no two services share an address.
"""

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

MANAGEMENT_PORTS = {"registry": 5589, "tsa": 5590, "ocsp": 5591, "gateway": 5588, "gateway-provider": 6588}
_EVERYWHERE = "0.0.0.0"
_READY_SECONDS = 90.0
_STOP_SECONDS = 20.0


@dataclass
class ComposedProcesses:
    """The services, in `folder`, which stands for /srv/xacbe and for the clone that is mounted there."""

    folder: Path
    services: dict[str, dict[str, Any]]
    addresses: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @classmethod
    def of(cls, compose_file: Path, folder: Path) -> "ComposedProcesses":
        """Read the compose file; the loopback addresses end as the services' fixed addresses do."""
        services = yaml.safe_load(compose_file.read_text(encoding="utf-8"))["services"]
        # Drawn, so that test runs and demos on one machine do not meet.
        network = f"127.{random.randrange(64, 250)}.{random.randrange(256)}"
        fixed = {
            name: service["networks"]["management"]["ipv4_address"].rpartition(".")[2]
            for name, service in services.items()
            if "networks" in service
        }
        return cls(folder, services, {name: f"{network}.{number}" for name, number in fixed.items()})

    def environment(self, name: str) -> dict[str, str]:
        """A service's variables, with the addresses of this machine in place of the container networks'."""
        return {key: self._here(name, value) for key, value in self.services[name].get("environment", {}).items()}

    def start(self, name: str) -> None:
        """Start a service's command, with an environment that holds nothing of this one's but where programs are."""
        service = self.services[name]
        assert "entrypoint" not in service
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                service["command"],
                cwd=self.folder,
                env={"PATH": programs(), **self.environment(name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        """Wait until each process says on its management address that it is ready."""
        deadline = time.monotonic() + _READY_SECONDS
        for name in self.running:
            if name in MANAGEMENT_PORTS:
                while not self._is_ready(name):
                    assert time.monotonic() < deadline, f"{name} is not ready:\n{self.log(name)}"
                    time.sleep(0.1)

    def log(self, name: str) -> str:
        """What a service's process wrote."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def stop(self) -> dict[str, int]:
        """End all as `docker compose down` does, those that were started last first; their exit codes."""
        codes: dict[str, int] = {}
        for name, process in reversed(self.running.items()):
            process.terminate()
            try:
                codes[name] = process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        self.running.clear()
        return codes

    def _here(self, name: str, value: str) -> str:
        value = value.replace(_EVERYWHERE, self.addresses.get(name, _EVERYWHERE))
        for other, address in self.addresses.items():
            networks = self.services[other]["networks"]
            for known_as in (*networks["exchange"]["aliases"], networks["management"]["ipv4_address"]):
                value = value.replace(known_as, address)
        return value

    def _is_ready(self, name: str) -> bool:
        assert self.running[name].poll() is None, f"{name} ended by itself:\n{self.log(name)}"
        try:
            address = f"http://{self.addresses[name]}:{MANAGEMENT_PORTS[name]}/health/ready"
            return httpx.get(address, trust_env=False, timeout=2.0).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def programs() -> str:
    """A PATH on which `xacbe` and `python` are those of these tests, as they are the image's in a container."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
