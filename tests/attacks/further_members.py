"""Members that are enrolled for these tests with the registry's own commands, and go again afterwards."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from estamp.catalogue import Catalogue
from estamp.identifiers import MemberId
from tests.attacks.instance_keys import InstanceKeys
from tests.pki import Credential, new_key
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance, until
from xacbe.main import run

THIRD = "QROO/MUN/COZUMEL"
THIRD_SERVER = f"{THIRD}/gw1"
THIRD_CLIENT = f"{THIRD}/consultas"
THIRD_PROVIDER = f"{THIRD}/servicios"
THIRD_SERVICE = f"{THIRD_PROVIDER}/registro"
GUEST = "QROO/MUN/TULUM"
GUEST_CLIENT = f"{GUEST}/consultas"
"""A member without a server of its own; the third member's hosts it."""
THROWAWAY = "QROO/MUN/DESECHABLE"
THROWAWAY_SERVER = f"{THROWAWAY}/gw1"
THROWAWAY_CLIENT = f"{THROWAWAY}/consultas"


class FurtherMembers:
    """The three members' enrolment and standing; `provider_port` is where the third member's gateway answers."""

    def __init__(self, instance: RunningInstance, keys: InstanceKeys, folder: Path) -> None:
        self._instance = instance
        self._keys = keys
        self._folder = folder
        self._settings = instance.folder / "registry" / "registry.toml"
        self._usual = self._settings.with_name("members.toml")

    def enrol(self, provider_port: int) -> None:
        """Register all of them."""
        file = self._folder / "members.toml"
        file.write_text(self._usual.read_text(encoding="utf-8") + _registration(provider_port), encoding="utf-8")
        self.registry("apply", file)

    def remove(self) -> None:
        """Bring the registry back to what it registered before."""
        self.registry("apply", "--prune", self._usual)
        self.wait_for(lambda catalogue: catalogue.member(MemberId.parse(THIRD)) is None)

    def issue(self, server: str, member: str | None = None) -> Credential:
        """Have the registry issue an authentication certificate of `server`, or a signing one of `member` on it."""
        key = new_key()
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        name = f"{server}-{member}".replace("/", "-")
        csr, out = self._folder / f"{name}.csr", self._folder / f"{name}.pem"
        csr.write_bytes(request.public_bytes(Encoding.PEM))
        kind = ["--kind", "signing", "--member", member] if member else ["--kind", "authentication"]
        self.registry("issue", csr, *kind, "--server", server, "--out", out)
        certificate = x509.load_pem_x509_certificate(out.read_bytes())
        return Credential(certificate, key, (self._keys.issuing.certificate,))

    def suspend(self, what: str, identifier: str) -> None:
        """Suspend a `member` or `server`; returns when both gateways know it."""
        self.registry("suspend", what, identifier, "--reason", "a test")
        self.wait_for(lambda catalogue: _suspended(catalogue, identifier))

    def unsuspend(self, what: str, identifier: str) -> None:
        """End the suspension; returns when both gateways know it."""
        self.registry("unsuspend", what, identifier)
        self.wait_for(lambda catalogue: not _suspended(catalogue, identifier))

    def revoke(self, credential: Credential) -> None:
        """Revoke a certificate; returns when both gateways know it."""
        name = credential.certificate.fingerprint(hashes.SHA256()).hex()
        self.registry("revoke", name, "--reason", "keyCompromise")
        self.wait_for(lambda catalogue: name in catalogue.revoked_certificates)

    def wait_for(self, condition: Callable[[Catalogue], bool]) -> None:
        """Wait until both gateways decide by a catalogue for which `condition` holds."""
        for gateway in (CONSUMER, PROVIDER):
            until(lambda gateway=gateway: condition(self.catalogue_of(gateway)))  # type: ignore[misc]

    def catalogue_of(self, gateway: str) -> Catalogue:
        """The catalogue that a gateway works by."""
        return self._instance.catalogue_of(gateway)

    def registry(self, command: str, *arguments: str | Path) -> str:
        """`xacbe registry COMMAND`, in this process, which saves each its start."""
        output, said = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(said):
            words = ["registry", command, "--config", str(self._settings), *map(str, arguments)]
            code = run(words)
        assert code == 0, f"{words}: {said.getvalue()}"
        return output.getvalue()


def _suspended(catalogue: Catalogue, identifier: str) -> bool:
    standing = {member.id: member.suspended for member in catalogue.members}
    standing |= {server.id: server.suspended for server in catalogue.servers}
    return standing[identifier]


def _registration(provider_port: int) -> str:
    third, guest, throwaway = (each.rpartition("/")[2] for each in (THIRD, GUEST, THROWAWAY))
    return f"""
[[members]]
class = "MUN"
code = "{third}"
name = "Municipio de Cozumel"
subsystems = [
    {{ code = "consultas" }},
    {{ code = "servicios", services = [{{ code = "registro", title = "Register" }}] }},
]

[[members.servers]]
code = "gw1"
address = "127.0.0.1:{provider_port}"
clients = ["{THIRD_CLIENT}", "{THIRD_PROVIDER}", "{GUEST_CLIENT}"]

[[members]]
class = "MUN"
code = "{guest}"
name = "Municipio de Tulum"
subsystems = [{{ code = "consultas" }}]

[[members]]
class = "MUN"
code = "{throwaway}"
name = "A member whose certificates are revoked"
subsystems = [{{ code = "consultas" }}]
servers = [{{ code = "gw1", address = "127.0.0.1:{provider_port}", clients = ["{THROWAWAY_CLIENT}"] }}]
"""
