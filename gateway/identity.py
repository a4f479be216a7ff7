"""Who this gateway is: its server identifier, its TLS identity and the members that it can sign for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from estamp.anchor import TrustAnchor
from estamp.certificates import Kind, check_chain, kind_of, server_of, signer_of
from estamp.errors import EstampError
from estamp.identifiers import MemberId, ServerId
from estamp.signature import algorithm_of
from estamp.stamp import Signer
from gateway.errors import EnrolmentError
from gateway.settings import GatewaySettings, KeyFiles
from service_runtime.keys import load_passphrase, load_private_key
from service_runtime.tls import Identity as TlsIdentity
from service_runtime.tls import load_certificates

_ADVICE = "Install the certificates that the central administrator issued (xacbe gateway install)."


@dataclass(frozen=True, slots=True)
class Identity:
    """The gateway's names and keys, checked against the trust anchor.

    ``authorities`` are the issuing CAs' certificates beside its own: those by which peers' certificates are issued.
    """

    server: ServerId
    tls: TlsIdentity
    authorities: tuple[x509.Certificate, ...]
    signers: Mapping[MemberId, Signer]


def load_identity(settings: GatewaySettings, anchor: TrustAnchor) -> Identity:
    """Read keys and certificates as the settings name them.

    Raises EnrolmentError (``certificate-unusable``, ``certificate-without-key``), KeyFileError or TlsError for whatever
    would make the gateway fail at its first message.
    """
    files = settings.authentication_files
    chain = _chain(files, anchor)
    if kind_of(chain[0]) is not Kind.AUTHENTICATION or server_of(chain[0]) != settings.server:
        raise EnrolmentError(
            "certificate-unusable",
            f"{files.certificate} is not the authentication certificate of {settings.server}.",
            _ADVICE,
        )
    passphrase = load_passphrase(files.passphrase_file, files.passphrase_variable)
    signers = {
        member: _signer(member, settings.server, each, anchor) for member, each in settings.signing_files.items()
    }
    return Identity(settings.server, TlsIdentity(files.certificate, files.key, passphrase), tuple(chain[1:]), signers)


def _signer(member: MemberId, server: ServerId, files: KeyFiles, anchor: TrustAnchor) -> Signer:
    certificate, issuer, *_ = _chain(files, anchor)
    try:
        name = signer_of(certificate)
    except EstampError as error:
        raise EnrolmentError("certificate-unusable", f"{files.certificate}: {error.message}", _ADVICE) from None
    if name.member != member or name.server != server:
        raise EnrolmentError(
            "certificate-unusable",
            f"{files.certificate} is not the signing certificate of {member} on {server}.",
            _ADVICE,
        )
    key = load_private_key(files.key, load_passphrase(files.passphrase_file, files.passphrase_variable))
    if key.public_key() != certificate.public_key():
        raise EnrolmentError(
            "certificate-without-key", f"{files.certificate} and {files.key} do not belong together.", _ADVICE
        )
    try:
        algorithm_of(certificate)
    except EstampError as error:
        raise EnrolmentError("certificate-unusable", f"{files.certificate}: {error.message}", _ADVICE) from None
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Signer(certificate, key, issuer)


def _chain(files: KeyFiles, anchor: TrustAnchor) -> list[x509.Certificate]:
    chain = load_certificates(files.certificate)
    try:
        issuer = check_chain(chain[0], chain[1:], anchor.root, datetime.now(UTC))
        kind_of(chain[0])
    except EstampError as error:
        raise EnrolmentError("certificate-unusable", f"{files.certificate}: {error.message}", _ADVICE) from None
    return [chain[0], issuer]
