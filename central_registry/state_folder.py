"""Where the registry keeps what: one folder, made whole by `xacbe registry init`.

    anchor.json          what everybody else must get over a way they trust
    registry.sqlite      the database, unless the settings name another
    root/                the root's key and certificate: needed by no running process, best kept offline
    issuing-ca/          what `xacbe registry issue` signs with
    catalogue-signer/    what `xacbe registry serve` stamps catalogues and signs the status feed with
    tls/                 what `xacbe registry serve` presents to gateways
    trust-services/tsa/  to be handed to the time-stamping authority
    trust-services/ocsp/ to be handed to the status responder
    status-answers/      what `xacbe registry serve` was last told about the catalogue signer's certificate

Each folder with a key holds `certificate.pem` and `key.pem`; tls/ and trust-services/tsa/ also `chain.pem`, which is
the certificate followed by the issuing CA's. trust-services/ocsp/ holds, beside the pair that answers for the issuing
CA, `root-responder.pem` and `root-responder-key.pem` for what the root issued, the two authorities' certificates
(`issuing-ca.pem`, `root.pem`) and the anchor.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from central_registry.certificate_profiles import PrivateKey
from central_registry.errors import StateError
from central_registry.settings import RegistrySettings
from estamp.anchor import TrustAnchor
from estamp.certificates import load_certificate
from estamp.errors import EstampError
from service_runtime.keys import load_passphrase, load_private_key

INIT_COMMAND = "xacbe registry init --config FILE"
KEY_PASSPHRASE_VARIABLE = "XACBE_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
"""The environment variable that may hold the passphrase of the issuing CA's, catalogue signer's and TLS keys."""

ENTRIES = ("root", "issuing-ca", "catalogue-signer", "tls", "trust-services", "registry.sqlite", "anchor.json")
"""What a complete folder holds, in the order in which init puts it there; the anchor comes last, as the seal."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The registry's folder; see this module's description for what lies in it."""

    folder: Path

    @property
    def anchor(self) -> Path:
        """The trust anchor file."""
        return self.folder / "anchor.json"

    @property
    def root(self) -> Path:
        """The root's folder, which only init opens."""
        return self.folder / "root"

    @property
    def issuing_ca(self) -> Path:
        """The issuing CA's folder."""
        return self.folder / "issuing-ca"

    @property
    def catalogue_signer(self) -> Path:
        """The catalogue signer's folder."""
        return self.folder / "catalogue-signer"

    @property
    def tls(self) -> Path:
        """The folder of the registry's own TLS certificate."""
        return self.folder / "tls"

    @property
    def trust_services(self) -> Path:
        """The folder of what the TSA and the status responder are handed."""
        return self.folder / "trust-services"

    @property
    def status_answers(self) -> Path:
        """The folder of kept status answers."""
        return self.folder / "status-answers"

    @property
    def database_url(self) -> str:
        """The database in this folder."""
        return f"sqlite:///{self.folder.absolute() / 'registry.sqlite'}"


def load_anchor(settings: RegistrySettings) -> TrustAnchor:
    """The trust anchor of an initialised registry; raises StateError if it was not, or is another instance's."""
    path = StateFolder(settings.state).anchor
    try:
        anchor = TrustAnchor.load(path.read_bytes())
    except FileNotFoundError:
        raise StateError(
            "registry-not-initialised", f"There is no registry in {settings.state}.", f"Run: {INIT_COMMAND}"
        ) from None
    except (OSError, EstampError) as error:
        raise StateError("anchor-unreadable", f"{path} cannot be read: {error}.", "Restore it from a backup.") from None
    if anchor.instance != settings.instance:
        raise StateError(
            "instance-differs",
            f"The settings say instance {settings.instance}, but the registry in {settings.state} is of instance "
            f"{anchor.instance}.",
            "Correct `instance` or `state` in the settings.",
        )
    return anchor


def read_certificate(path: Path) -> x509.Certificate:
    """The certificate in a file of the state folder; raises StateError."""
    try:
        return load_certificate(path.read_bytes())
    except (OSError, EstampError) as error:
        raise StateError(
            "certificate-unreadable", f"{path} cannot be read: {error}.", "Restore it from a backup."
        ) from None


def key_passphrase(settings: RegistrySettings) -> bytes | None:
    """The passphrase of the keys that the registry works with, if they have one; raises KeyFileError."""
    return load_passphrase(settings.key_passphrase_file, KEY_PASSPHRASE_VARIABLE)


def read_key(folder: Path, settings: RegistrySettings) -> PrivateKey:
    """The private key in one of the folders; raises KeyFileError."""
    return load_private_key(folder / "key.pem", key_passphrase(settings))
