"""How a gateway gets its identity: keys and signing requests made here, and certificates put in place.

Private keys are made where they are used and never leave; the central administrator sees signing requests only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from estamp.anchor import TrustAnchor
from estamp.certificates import (
    Kind,
    authentication_uri,
    check_chain,
    kind_of,
    load_certificate,
    server_of,
    signer_of,
    signing_uri,
)
from estamp.errors import EstampError
from estamp.identifiers import MemberId, ServerId
from gateway.errors import EnrolmentError
from gateway.settings import GatewaySettings, KeyFiles
from service_runtime.keys import (
    PrivateKey,
    generate_key,
    load_passphrase,
    load_private_key,
    write_atomically,
    write_private_key,
)

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Holder:
    """What a certificate has to be for: the server's authentication, or the signing of one member on it."""

    server: ServerId
    member: MemberId | None = None

    @property
    def kind(self) -> Kind:
        """The kind of certificate."""
        return Kind.AUTHENTICATION if self.member is None else Kind.SIGNING

    @property
    def uri(self) -> str:
        """The name that stands in the certificate."""
        return authentication_uri(self.server) if self.member is None else signing_uri(self.member, self.server)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A key of this gateway: for whom, its files, where its signing request lies, and whether it was made now."""

    holder: Holder
    files: KeyFiles
    request: Path
    made: bool


@dataclass(frozen=True, slots=True)
class Installed:
    """A certificate that was put in place: for whom, where, and until when it is valid."""

    holder: Holder
    path: Path
    not_after: datetime


def make_keys(settings: GatewaySettings) -> list[Enrolled]:
    """Make each key of the settings that is not there yet, and a signing request (.csr) for every key.

    Keys get mode 0600 and are encrypted where the settings name a passphrase; none is overwritten, so that after a
    change of the settings only what is new is made. Raises KeyFileError, FileWriteError, OSError.
    """
    settings.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[Enrolled] = []
    for holder, files in _holders(settings):
        files.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        passphrase = load_passphrase(files.passphrase_file, files.passphrase_variable)
        new = not files.key.exists()
        if new:
            write_private_key(files.key, generate_key(), passphrase)
        request = files.key.with_suffix(".csr")
        write_atomically(request, _signing_request(holder, load_private_key(files.key, passphrase)))
        made.append(Enrolled(holder, files, request, new))
    return made


def install_anchor(settings: GatewaySettings, file: Path) -> TrustAnchor:
    """Put the trust anchor in its place; the caller has a person compare its fingerprint.

    Raises EnrolmentError ``anchor-differs`` when it is another instance's, or another one is in place already;
    ``file-unreadable``; AnchorError.
    """
    try:
        anchor = TrustAnchor.load(file.read_bytes())
        there = TrustAnchor.load(settings.anchor_path.read_bytes()) if settings.anchor_path.exists() else anchor
    except OSError as error:
        raise EnrolmentError(
            "file-unreadable", f"The trust anchor {file} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    if anchor.instance != settings.server.instance:
        raise EnrolmentError(
            "anchor-differs",
            f"{file} is the anchor of the instance {anchor.instance}, this gateway is of {settings.server.instance}.",
            "Ask the central administrator for the right one.",
        )
    if there.fingerprint != anchor.fingerprint:
        raise EnrolmentError(
            "anchor-differs",
            f"Another trust anchor is in place: {settings.anchor_path} with {there.fingerprint}.",
            "If the central administrator confirms the new one, move the old file away first.",
        )
    settings.anchor_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(settings.anchor_path, anchor.dump())
    return anchor


def install_certificates(
    settings: GatewaySettings, anchor: TrustAnchor, given: Sequence[Path], now: datetime
) -> list[Installed]:
    """Put issued certificates where the settings expect them, each followed by its issuing CA's.

    All are checked before the first is written. `given` are PEM or DER files with this gateway's certificates and the
    issuing CA's, in any order. Each must be of the right kind, name this server (and a member it signs for), belong to
    a key that lies here, and lead to the anchor's root at the moment `now`. What was in place is replaced.

    Raises EnrolmentError ``file-unreadable``, ``certificate-unusable``, ``certificate-without-key``; KeyFileError.
    """
    certificates = [(path, each) for path in given for each in _read(path)]
    authorities = [each for _, each in certificates if _is_authority(each)]
    leaves = [(path, each) for path, each in certificates if not _is_authority(each)]
    if not leaves:
        raise EnrolmentError(
            "certificate-unusable",
            "None of these files holds a certificate for this gateway.",
            "Name the files that the central administrator sent.",
        )
    checked = [_check(settings, anchor, path, leaf, authorities, now) for path, leaf in leaves]
    for files, data, _ in checked:
        write_atomically(files.certificate, data)
    return [installed for _, _, installed in checked]


def _check(
    settings: GatewaySettings,
    anchor: TrustAnchor,
    path: Path,
    leaf: x509.Certificate,
    authorities: Sequence[x509.Certificate],
    now: datetime,
) -> tuple[KeyFiles, bytes, Installed]:
    try:
        holder = _holder_of(leaf)
        issuer = check_chain(leaf, authorities, anchor.root, now)
    except EstampError as error:
        raise EnrolmentError(
            "certificate-unusable",
            f"The certificate in {path} cannot be used: {error.message}",
            "Ask the central administrator for the right one, with the issuing CA's certificate "
            "(xacbe registry issue --chain).",
        ) from error
    files = dict(_holders(settings)).get(holder)
    if files is None:
        raise EnrolmentError(
            "certificate-unusable",
            f"The certificate in {path} is for {holder.uri}, which this gateway is not.",
            "Compare `server` and `signing` in the settings with what was ordered.",
        )
    key = load_private_key(files.key, load_passphrase(files.passphrase_file, files.passphrase_variable))
    if key.public_key() != leaf.public_key():
        raise EnrolmentError(
            "certificate-without-key",
            f"The certificate in {path} belongs to another key than {files.key}.",
            f"Send {files.key.with_suffix('.csr')} to the central administrator and install what comes back.",
        )
    data = leaf.public_bytes(Encoding.PEM)
    if issuer != anchor.root:
        data += issuer.public_bytes(Encoding.PEM)
    return files, data, Installed(holder, files.certificate, leaf.not_valid_after_utc)


def _holders(settings: GatewaySettings) -> list[tuple[Holder, KeyFiles]]:
    signing = [(Holder(settings.server, member), files) for member, files in settings.signing_files.items()]
    return [(Holder(settings.server), settings.authentication_files), *signing]


def _holder_of(leaf: x509.Certificate) -> Holder:
    if kind_of(leaf) is Kind.AUTHENTICATION:
        return Holder(server_of(leaf))
    name = signer_of(leaf)
    return Holder(name.server, name.member)


def _signing_request(holder: Holder, key: PrivateKey) -> bytes:
    # The registry takes the key alone from a request; the names tell a person which request this is.
    name = holder.server.server_code if holder.member is None else holder.member.member_code
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_NAME])])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(holder.uri)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _read(path: Path) -> list[x509.Certificate]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EnrolmentError(
            "file-unreadable", f"{path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    try:
        if b"-----BEGIN" not in data:
            return [load_certificate(data)]
        found = x509.load_pem_x509_certificates(data)
        return [load_certificate(each.public_bytes(Encoding.PEM)) for each in found]
    except (ValueError, EstampError) as error:
        raise EnrolmentError(
            "certificate-unusable", f"{path} holds no certificates in PEM or DER form: {error}", "Check the file."
        ) from error


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
