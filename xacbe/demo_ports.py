"""The demo's listeners: which process takes which port, and whether all of them are free."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HOST: Final = "127.0.0.1"
HIGHEST_BASE: Final = 65535 - 9090
"""The largest value that may be added to every port."""

_SECOND_GATEWAY = 1000


@dataclass(frozen=True, slots=True)
class Listener:
    """One port of one process, and who uses it."""

    process: str
    use: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://{HOST}:{self.port}"


class PortTakenError(Exception):
    """A port that the demo needs is in use."""

    def __init__(self, taken: list[Listener], base: int) -> None:
        named = ", ".join(f"{listener.port} ({listener.process}, {listener.use})" for listener in taken)
        other = 20000 if base != 20000 else 30000
        self.reason = "port-taken"
        self.message = f"In use on {HOST}: {'port' if len(taken) == 1 else 'ports'} {named}"
        self.advice = f"Stop what uses it, or move every port of the demo: xacbe demo --port-base {other}"
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port of the demo; ``base`` is added to all of them."""

    base: int = 0

    @property
    def registry(self) -> Listener:
        """Enrolment, catalogue and status feed."""
        return Listener("registry", "catalogue, status feed", self.base + 4001, "https")

    @property
    def registry_management(self) -> Listener:
        """The registry's health and metrics."""
        return Listener("registry", "health, metrics", self.base + 5589)

    @property
    def tsa(self) -> Listener:
        """Time-stamp requests."""
        return Listener("tsa", "time stamps", self.base + 8899)

    @property
    def tsa_management(self) -> Listener:
        """The TSA's health and metrics."""
        return Listener("tsa", "health, metrics", self.base + 5590)

    @property
    def ocsp(self) -> Listener:
        """Certificate status requests."""
        return Listener("ocsp", "certificate status", self.base + 8888)

    @property
    def ocsp_management(self) -> Listener:
        """The status responder's health and metrics."""
        return Listener("ocsp", "health, metrics", self.base + 5591)

    @property
    def vehicles(self) -> Listener:
        """The provider's own system."""
        return Listener("vehicles", "the provider's system", self.base + 9090)

    def information_systems(self, gateway: str) -> Listener:
        """A gateway's port for its member's own systems."""
        return Listener(gateway, "information systems", self._of(gateway, 8080))

    def peers(self, gateway: str) -> Listener:
        """A gateway's port for other gateways."""
        return Listener(gateway, "other gateways", self._of(gateway, 5500), "https")

    def gateway_management(self, gateway: str) -> Listener:
        """A gateway's health and metrics."""
        return Listener(gateway, "health, metrics", self._of(gateway, 5588))

    def _of(self, gateway: str, port: int) -> int:
        return self.base + port + (_SECOND_GATEWAY if gateway == PROVIDER else 0)

    def all(self) -> Iterator[Listener]:
        """Every listener, in the order in which people read about them."""
        for gateway in (CONSUMER, PROVIDER):
            yield from (self.information_systems(gateway), self.peers(gateway), self.gateway_management(gateway))
        yield from (self.registry, self.registry_management, self.tsa, self.tsa_management)
        yield from (self.ocsp, self.ocsp_management, self.vehicles)

    def require_free(self) -> None:
        """Raise PortTakenError, naming each listener whose port somebody else has."""
        taken = [listener for listener in self.all() if not _is_free(listener.port)]
        if taken:
            raise PortTakenError(taken, self.base)


CONSUMER: Final = "consumer gateway"
PROVIDER: Final = "provider gateway"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection that lingers after an earlier demo does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True
