"""The consumer gateway's listener over mTLS, and information systems with certificates of their own."""

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509

from tests.pki import Credential, TestPki
from tests.running_instance import CLIENT, CONSUMER, SERVICE, RunningInstance

HOST_NAME = "gateway.benito-juarez.example"
CALL = f"/r1/{SERVICE}/UTR-123-A"

_pki = TestPki()


def self_signed(name: str, *, authority: bool = False) -> Credential:
    """A certificate that vouches for itself, as an information system's usually does; `authority` lets it issue."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=authority, path_length=None), True),
        (x509.SubjectAlternativeName([x509.DNSName(f"{name}.example"), x509.DNSName(HOST_NAME)]), False),
    ]
    return _pki.build(name, extensions, issuer=None)


def issued_by(issuer: Credential, name: str) -> Credential:
    """A certificate that somebody with a certificate of his own issued."""
    return _pki.build(name, [(x509.BasicConstraints(ca=False, path_length=None), True)], issuer=issuer)


@dataclass(frozen=True)
class TlsListener:
    """The listener over mTLS of the instance's consumer gateway."""

    instance: RunningInstance
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Its address; the certificate is for HOST_NAME."""
        return f"https://127.0.0.1:{self.port}"

    def register(self, systems: Sequence[tuple[Credential, Sequence[str]]]) -> None:
        """`xacbe gateway apply`: these information systems and no others, each with the clients it may speak for."""
        tables = [
            "[[information_systems]]\n"
            f'title = "{system.certificate.subject.rfc4514_string()}"\n'
            f'certificate = """\n{system.pem.decode()}"""\n'
            f"clients = [{', '.join(f'{client!r}' for client in clients)}]\n"
            for system, clients in systems
        ]
        self.instance.apply(CONSUMER, "\n".join(tables))

    def context(self, system: Credential | None) -> ssl.SSLContext:
        """How a system connects: it trusts the gateway's certificate, and shows its own if it has one."""
        context = ssl.create_default_context(cafile=str(self.folder / "gateway.pem"))
        if system is not None:
            name = f"system-{system.certificate.serial_number:x}"
            if not (self.folder / f"{name}.key").exists():
                system.write(self.folder, name)
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def get(
        self,
        system: Credential | None,
        path: str = CALL,
        *,
        client: str = CLIENT,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One GET over a new connection; raises httpx.TransportError when TLS is refused."""
        with httpx.Client(verify=self.context(system), trust_env=False, timeout=60) as connected:
            return connected.get(
                f"{self.url}{path}",
                headers={"X-Road-Client": client, **(headers or {})},
                extensions={"sni_hostname": HOST_NAME},
            )

    def is_let_in(self, system: Credential) -> bool:
        """Whether a call with this certificate gets the service's answer."""
        try:
            return self.get(system).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def connect(self, system: Credential) -> http.client.HTTPConnection:
        """One connection that is kept, and never replaced by another one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sock = self.context(system).wrap_socket(raw, server_hostname=HOST_NAME)
        connection.auto_open = 0
        return connection


@contextmanager
def consumer_settings(instance: RunningInstance, *, first: str = "", more: str = "") -> Iterator[None]:
    """While the block runs, the consumer gateway has more settings: `first` above all tables, `more` below them."""
    file = instance.state_of(CONSUMER).parent / "gateway.toml"
    usual = file.read_text(encoding="utf-8")
    _restart(instance, file, first + usual + more)
    try:
        yield
    finally:
        _restart(instance, file, usual)


@contextmanager
def listening_over_tls(instance: RunningInstance, folder: Path) -> Iterator[TlsListener]:
    """The instance's consumer gateway with the listener, which has no systems registered; taken back at the end."""
    self_signed("gateway").write(folder, "gateway")
    port = instance.ports.base + 8443
    services = (instance.state_of(CONSUMER).parent / "services.toml").read_text(encoding="utf-8")
    table = f"""
[listeners.information_systems_https]
host = "127.0.0.1"
port = {port}
certificate = '{folder / "gateway.pem"}'
key = '{folder / "gateway.key"}'
"""
    with consumer_settings(instance, more=table):
        try:
            yield TlsListener(instance, folder, port)
        finally:
            instance.apply(CONSUMER, services)


def _restart(instance: RunningInstance, file: Path, text: str) -> None:
    stopped = instance.stop(CONSUMER)
    file.write_text(text, encoding="utf-8")
    instance.start_again(stopped)
