"""The certificates of an instance: what kind each one is, whom it names, and whether its chain holds.

A certificate's kind stands in it twice: as the one URI among its subject alternative names, and as its key usage and
extended key usage. Both have to say the same, so that neither a name alone (a signing certificate presented to TLS)
nor a usage alone (somebody else's document-signing certificate) is enough.

Nothing here knows the time or the network: the moment at which a chain is judged is an argument.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from estamp.certificate_algorithms import key_identifiers_agree, public_key, require_signed, require_strong_key
from estamp.certificate_extensions import (
    basic_constraints,
    called,
    extensions_of,
    has_extension,
    is_authority,
    require_key_usage,
)
from estamp.errors import CertificateError, EstampError
from estamp.identifiers import MemberId, ServerId, decode_piece, encode_piece

NAME_PREFIX: Final = "https://xacbe.invalid/"
"""What the subject alternative name URI of an instance's certificates begins with; the kind and the name follow.

It names and is never fetched: `.invalid` resolves nowhere (RFC 6761). A URN would say so more plainly, but pkilint
takes no URN for a URI, and `xacbe` is no registered URN namespace.
"""

DOCUMENT_SIGNING: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""id-kp-documentSigning (RFC 9336), the extended key usage of e-stamps and catalogues."""


class Kind(StrEnum):
    """What an end-entity certificate of an instance is for; the value stands in its subject alternative name."""

    SIGNING = "signing"
    AUTHENTICATION = "authentication"
    TSA = "tsa"
    OCSP = "ocsp"
    CATALOGUE_SIGNER = "catalogue-signer"
    REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class SignerName:
    """Whom a signing certificate names: the member that seals, and the security server that holds the key."""

    member: MemberId
    server: ServerId


@dataclass(frozen=True, slots=True)
class _Profile:
    """The usages that a kind of certificate has to state: exactly these, no more and no fewer."""

    key_usage: str
    extended_key_usage: frozenset[x509.ObjectIdentifier]


_PROFILES: Final = {
    Kind.SIGNING: _Profile("contentCommitment", frozenset({DOCUMENT_SIGNING})),
    Kind.AUTHENTICATION: _Profile(
        "digitalSignature", frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH})
    ),
    Kind.TSA: _Profile("digitalSignature", frozenset({ExtendedKeyUsageOID.TIME_STAMPING})),
    Kind.OCSP: _Profile("digitalSignature", frozenset({ExtendedKeyUsageOID.OCSP_SIGNING})),
    Kind.CATALOGUE_SIGNER: _Profile("contentCommitment", frozenset({DOCUMENT_SIGNING})),
    Kind.REGISTRY: _Profile("digitalSignature", frozenset({ExtendedKeyUsageOID.SERVER_AUTH})),
}


LARGEST_CERTIFICATE: Final = 16 * 1024
"""The largest certificate that is read, in bytes; one with an RSA key of 4096 bits has less than 3 KiB."""


def signing_uri(member: MemberId, server: ServerId) -> str:
    """The subject alternative name URI of `member`'s signing certificate on `server`."""
    return f"{NAME_PREFIX}{Kind.SIGNING}/{member}:{server}"


def authentication_uri(server: ServerId) -> str:
    """The subject alternative name URI of `server`'s authentication (TLS) certificate."""
    return f"{NAME_PREFIX}{Kind.AUTHENTICATION}/{server}"


def service_uri(kind: Kind, instance: str) -> str:
    """The subject alternative name URI of an instance's own services (every kind but signing and authentication)."""
    return f"{NAME_PREFIX}{kind}/{encode_piece(instance)}"


def fingerprint(certificate: x509.Certificate) -> str:
    """The lower-case hexadecimal SHA-256 of the certificate's DER form: its name in catalogues and logs."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def key_fingerprint(certificate: x509.Certificate) -> str:
    """The lower-case hexadecimal SHA-256 of the certificate's SubjectPublicKeyInfo: how a trust anchor names a key.

    Raises CertificateError (`unsupported-algorithm`) for a key that cannot be read.
    """
    return public_key_fingerprint(public_key(certificate))


def public_key_fingerprint(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    """The lower-case hexadecimal SHA-256 of a public key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def load_certificate(pem_or_der: bytes) -> x509.Certificate:
    """Read exactly one certificate, in PEM or DER.

    Raises CertificateError: `certificate-malformed` when it is not one certificate, has a serial number that is not
    positive, or an extension twice; `certificate-critical-extension` when it marks an extension critical that is not
    understood here.
    """
    if len(pem_or_der) > LARGEST_CERTIFICATE:
        raise CertificateError(
            "certificate-malformed",
            f"A certificate has at most {LARGEST_CERTIFICATE} bytes, this has {len(pem_or_der)}.",
        )
    try:
        certificate = _parse(pem_or_der)
    except (ValueError, x509.InvalidVersion) as error:
        raise CertificateError(
            "certificate-malformed", f"This is not one X.509 certificate in PEM or DER form: {error}."
        ) from error
    require_readable(certificate)
    return certificate


def require_readable(certificate: x509.Certificate) -> None:
    """Require that every part read here can be read: the library parses names and extensions only when asked to.

    For certificates that came inside something else; `load_certificate` has done it. Raises CertificateError as that
    does.
    """
    try:
        positive = certificate.serial_number > 0
        _ = certificate.subject, certificate.issuer, certificate.signature_algorithm_oid
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, TypeError) as error:
        raise CertificateError("certificate-malformed", f"The certificate cannot be read: {error}.") from error
    if not positive:
        raise CertificateError("certificate-malformed", "The certificate's serial number is not a positive number.")
    extensions_of(certificate)


def _parse(pem_or_der: bytes) -> x509.Certificate:
    if b"-----BEGIN" not in pem_or_der:
        certificate = x509.load_der_x509_certificate(pem_or_der)
        # What is written back the same has one spelling, so nobody can vary the bytes around what is signed.
        if certificate.public_bytes(Encoding.DER) != pem_or_der:
            raise ValueError("it is not spelled in the one form that DER allows")
        return certificate
    found = x509.load_pem_x509_certificates(pem_or_der)
    if len(found) != 1:
        raise ValueError(f"the PEM text holds {len(found)} certificates")
    return found[0]


def kind_of(certificate: x509.Certificate) -> Kind:
    """What the certificate is for, by its name and its usages together.

    Raises CertificateError: `certificate-wrong-kind` when the two disagree, more is stated than the kind allows, or
    it is no end-entity certificate of an instance; `certificate-malformed` and `certificate-critical-extension` as
    `load_certificate` does.
    """
    extensions = extensions_of(certificate)
    kind, _ = _named(certificate)
    profile = _PROFILES[kind]
    if is_authority(extensions):
        raise _wrong_kind(f"it names itself {kind} but is a certification authority")
    require_key_usage(extensions, {profile.key_usage}, str(kind))
    _require_extended_key_usage(extensions, kind, profile.extended_key_usage)
    if (kind is Kind.OCSP) != has_extension(extensions, ExtensionOID.OCSP_NO_CHECK):
        raise _wrong_kind("id-pkix-ocsp-nocheck belongs in OCSP responder certificates and in no other")
    return kind


def instance_of(certificate: x509.Certificate) -> str:
    """The instance that the certificate belongs to, of any kind; raises CertificateError as `kind_of` does."""
    kind = kind_of(certificate)
    if kind is Kind.SIGNING:
        return signer_of(certificate).server.instance
    if kind is Kind.AUTHENTICATION:
        return server_of(certificate).instance
    rest = _named(certificate)[1]
    try:
        instance = decode_piece(rest)
    except EstampError as error:
        raise _wrong_kind(f"its instance cannot be read: {error.message}") from error
    if encode_piece(instance) != rest:
        raise _wrong_kind("its instance is not spelled in the one canonical way")
    return instance


def signer_of(certificate: x509.Certificate) -> SignerName:
    """The member and the security server that a signing certificate names.

    Raises CertificateError (`certificate-wrong-kind`) when it is no signing certificate or its name cannot be read.
    """
    rest = _name_of_kind(certificate, Kind.SIGNING)
    member_text, separator, server_text = rest.partition(":")
    try:
        name = SignerName(MemberId.parse(member_text), ServerId.parse(server_text))
    except EstampError as error:
        raise _wrong_kind(f"its signing name cannot be read: {error.message}") from error
    # The one spelling is required, so that two certificates never name the same member in two ways.
    if not separator or signing_uri(name.member, name.server) != f"{NAME_PREFIX}{Kind.SIGNING}/{rest}":
        raise _wrong_kind("its signing name is not spelled in the one canonical way")
    if name.member.instance != name.server.instance:
        raise _wrong_kind("its member and its server belong to two instances")
    return name


def server_of(certificate: x509.Certificate) -> ServerId:
    """The security server that an authentication certificate names.

    Raises CertificateError (`certificate-wrong-kind`) when it is no authentication certificate or its name cannot be
    read.
    """
    rest = _name_of_kind(certificate, Kind.AUTHENTICATION)
    try:
        server = ServerId.parse(rest)
    except EstampError as error:
        raise _wrong_kind(f"its authentication name cannot be read: {error.message}") from error
    if authentication_uri(server) != f"{NAME_PREFIX}{Kind.AUTHENTICATION}/{rest}":
        raise _wrong_kind("its authentication name is not spelled in the one canonical way")
    return server


def check_chain(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], root: x509.Certificate, at: datetime
) -> x509.Certificate:
    """Check the chain leaf → root, or leaf → issuing CA → root, at the moment `at`; returns the leaf's direct issuer.

    `root` is trusted because the caller says so, but must still be a valid authority. What the leaf itself is for is
    `kind_of`'s question. Raises CertificateError: `certificate-chain` when no chain leads to the root or an authority
    on it may not sign it, `unsupported-algorithm` for a key or signature below what is believed,
    `certificate-expired`, `certificate-not-yet-valid`, and what `load_certificate` raises about extensions.
    """
    for each in (leaf, *intermediates, root):
        require_readable(each)
    _require_authority(root, intermediates_below=0)
    require_signed(root, root)
    if leaf == root:
        raise CertificateError("certificate-chain", "The root certificate stands where a certificate under it belongs.")
    if leaf.issuer == root.subject:
        path = [leaf, root]
    else:
        issuing = _issuing_authority(leaf, intermediates)
        _require_authority(root, intermediates_below=1)
        _require_authority(issuing, intermediates_below=0)
        if basic_constraints(issuing).path_length != 0:
            raise CertificateError(
                "certificate-chain", f"{called(issuing)} does not limit itself to path length 0, as an issuing CA must."
            )
        require_signed(issuing, root)
        path = [leaf, issuing, root]
    require_signed(leaf, path[1])
    for certificate in path:
        require_strong_key(certificate)
        _require_valid(certificate, at)
    return path[1]


def require_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Require that `issuer`, an authority, signed `certificate` itself; validity periods are not looked at.

    Raises CertificateError: `certificate-chain` or `unsupported-algorithm`.
    """
    require_readable(certificate)
    _require_authority(issuer, intermediates_below=0)
    require_strong_key(certificate)
    require_strong_key(issuer)
    require_signed(certificate, issuer)


def _issuing_authority(leaf: x509.Certificate, intermediates: Sequence[x509.Certificate]) -> x509.Certificate:
    named = [each for each in intermediates if each.subject == leaf.issuer]
    # A renewed authority keeps its name; the key identifier, where the leaf states it, tells the two apart.
    for candidate in named:
        if key_identifiers_agree(leaf, candidate):
            return candidate
    raise CertificateError(
        "certificate-chain",
        f"No certificate at hand issued {called(leaf)}: its issuer calls itself {leaf.issuer.rfc4514_string()!r}.",
    )


def _require_authority(certificate: x509.Certificate, *, intermediates_below: int) -> None:
    extensions = extensions_of(certificate)
    if not is_authority(extensions):
        raise CertificateError("certificate-chain", f"{called(certificate)} is not a certification authority.")
    require_key_usage(extensions, {"keyCertSign", "cRLSign"}, "certification authority", reason="certificate-chain")
    limit = basic_constraints(certificate).path_length
    if limit is not None and limit < intermediates_below:
        raise CertificateError("certificate-chain", f"{called(certificate)} allows no authority below it.")


def _require_valid(certificate: x509.Certificate, at: datetime) -> None:
    if at < certificate.not_valid_before_utc:
        raise CertificateError(
            "certificate-not-yet-valid",
            f"{called(certificate)} is valid from {certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ} only, "
            f"after {at:%Y-%m-%dT%H:%M:%SZ}.",
        )
    if at > certificate.not_valid_after_utc:
        raise CertificateError(
            "certificate-expired",
            f"{called(certificate)} expired at {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}, "
            f"before {at:%Y-%m-%dT%H:%M:%SZ}.",
        )


def _named(certificate: x509.Certificate) -> tuple[Kind, str]:
    """The kind and the rest of the one URI among the subject alternative names."""
    try:
        names = extensions_of(certificate).get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise _wrong_kind("it has no subject alternative name") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(NAME_PREFIX):
        raise _wrong_kind(f"its subject alternative names do not hold exactly one {NAME_PREFIX} URI")
    word, _, rest = uris[0].removeprefix(NAME_PREFIX).partition("/")
    if word not in _PROFILES_BY_WORD or not rest:
        raise _wrong_kind(f"{uris[0]!r} names no kind of certificate that is known here")
    kind = _PROFILES_BY_WORD[word]
    if len(list(names)) != 1 and kind is not Kind.REGISTRY:
        raise _wrong_kind(f"a {kind} certificate has no other subject alternative name than its URI")
    return kind, rest


_PROFILES_BY_WORD: Final = {str(kind): kind for kind in _PROFILES}


def _name_of_kind(certificate: x509.Certificate, wanted: Kind) -> str:
    kind = kind_of(certificate)
    if kind is not wanted:
        raise _wrong_kind(f"it is for {kind}, not for {wanted}")
    return _named(certificate)[1]


def _require_extended_key_usage(
    extensions: x509.Extensions, kind: Kind, wanted: frozenset[x509.ObjectIdentifier]
) -> None:
    try:
        extension = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise _wrong_kind(f"a {kind} certificate states an extended key usage, this one none") from error
    if set(extension.value) != wanted or len(list(extension.value)) != len(wanted):
        raise _wrong_kind(
            f"it names itself {kind} but its extended key usage is "
            + ", ".join(usage.dotted_string for usage in extension.value)
        )
    if kind is Kind.TSA and not extension.critical:
        raise _wrong_kind("the extended key usage of a tsa certificate must be critical (RFC 3161, 2.3)")


def _wrong_kind(why: str) -> CertificateError:
    return CertificateError("certificate-wrong-kind", f"The certificate is not of the kind that is needed: {why}.")
