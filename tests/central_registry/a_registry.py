"""A registry made for a test: its settings file, its state, and signing requests to put before it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from central_registry.administration import Administration
from central_registry.certification import make_order
from central_registry.initialisation import initialise
from central_registry.settings import RegistrySettings, load
from central_registry.state_folder import StateFolder
from estamp.anchor import TrustAnchor
from estamp.certificates import Kind
from estamp.identifiers import MemberId, ServerId
from tests.pki import PrivateKey, new_key

MEMBER = MemberId("QROO", "EST", "SSP")
SERVER = ServerId("QROO", "EST", "SSP", "gw2")

MEMBERS = """
instance = "QROO"

[[members]]
class = "MUN"
code = "BENITO-JUAREZ"
name = "Municipio de Benito Juárez"
subsystems = [{ code = "patrullas" }, { code = "sin-permiso" }]

[[members.servers]]
code = "gw1"
address = "127.0.0.1:5500"
clients = ["QROO/MUN/BENITO-JUAREZ/patrullas", "QROO/MUN/BENITO-JUAREZ/sin-permiso"]

[[members]]
class = "EST"
code = "SSP"
name = "Secretaría de Seguridad Ciudadana"

[[members.subsystems]]
code = "vehiculos"
name = "Padrón vehicular"

[[members.subsystems.services]]
code = "placas"
title = "Vehicles by plate number"

[[members.servers]]
code = "gw2"
address = "127.0.0.1:6500"
clients = ["QROO/EST/SSP/vehiculos"]
"""


@dataclass(frozen=True)
class ARegistry:
    """An initialised registry in a folder of the test's own."""

    config: Path
    settings: RegistrySettings
    anchor: TrustAnchor

    @property
    def state(self) -> StateFolder:
        """Its state folder."""
        return StateFolder(self.settings.state)


def write_settings(
    folder: Path, *, port: int = 0, tsa_port: int = 8899, ocsp_port: int = 8888, top: str = "", more: str = ""
) -> Path:
    """A settings file with the management port left free; `top` and `more` go before and after its tables."""
    config = folder / "registry.toml"
    config.write_text(
        f"""
instance = "QROO"
operator = "Agencia Digital del Estado"
state = "state"
{top}
[addresses]
registry = ["https://127.0.0.1:{port or 4001}"]
timestamp_authorities = ["http://127.0.0.1:{tsa_port}/"]
status_responders = ["http://127.0.0.1:{ocsp_port}/"]
[listen]
host = "127.0.0.1"
port = {port}
[management]
port = 0
{more}
"""
    )
    return config


def make_registry(folder: Path, config: Path | None = None) -> ARegistry:
    """Initialise a registry in `folder`."""
    config = config or write_settings(folder)
    settings = load(config)
    return ARegistry(config, settings, initialise(settings, datetime.now(UTC), root_passphrase=None))


def apply(administration: Administration, folder: Path, text: str = MEMBERS, *, prune: bool = False) -> list[str]:
    """Apply a registration file; the changes as `action kind name`."""
    file = folder / "members.toml"
    file.write_text(text)
    changes = administration.apply(file, prune=prune, dry_run=False)
    return [f"{change.action} {change.kind} {change.name}" for change in changes]


def signing_request(key: PrivateKey | None = None, name: str = "whatever the requester says") -> bytes:
    """A signing request, PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key or new_key(), hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def issue_authentication(administration: Administration, key: PrivateKey | None = None) -> x509.Certificate:
    """An authentication certificate of SERVER."""
    return administration.issue(signing_request(key), make_order(Kind.AUTHENTICATION, SERVER, None))


def issue_signing(administration: Administration, key: PrivateKey | None = None) -> x509.Certificate:
    """A signing certificate of MEMBER on SERVER."""
    return administration.issue(signing_request(key), make_order(Kind.SIGNING, SERVER, MEMBER))
