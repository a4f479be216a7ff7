"""What a certificate's extensions say, read once and strictly.

A verifier that skips what it does not understand believes more than it knows: an unknown critical extension, the same
extension twice, or one that cannot be parsed, each refuse the certificate (RFC 5280, 4.2).
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from estamp.errors import CertificateError

# An extension is "processed" (RFC 5280, 4.2) when code below reads its meaning. Any other one marked critical asks for
# something that would not be done, so the certificate is refused. Left out on purpose: name constraints, policies.
_PROCESSED_EXTENSIONS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.OCSP_NO_CHECK,
    }
)

_KEY_USAGES: Final[dict[str, Callable[[x509.KeyUsage], bool]]] = {
    "digitalSignature": lambda usage: usage.digital_signature,
    "contentCommitment": lambda usage: usage.content_commitment,
    "keyEncipherment": lambda usage: usage.key_encipherment,
    "dataEncipherment": lambda usage: usage.data_encipherment,
    "keyAgreement": lambda usage: usage.key_agreement,
    "keyCertSign": lambda usage: usage.key_cert_sign,
    "cRLSign": lambda usage: usage.crl_sign,
}


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """The certificate's extensions, every critical one of which is understood here.

    Raises CertificateError: `certificate-malformed` or `certificate-critical-extension`.
    """
    try:
        extensions = certificate.extensions
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateError(
            "certificate-malformed", f"The certificate's extensions cannot be read: {error}."
        ) from error
    for extension in extensions:
        if extension.critical and extension.oid not in _PROCESSED_EXTENSIONS:
            raise CertificateError(
                "certificate-critical-extension",
                f"{called(certificate)} has the critical extension {extension.oid.dotted_string}, "
                "which is not understood here.",
            )
    return extensions


def require_key_usage(
    extensions: x509.Extensions, wanted: set[str], kind: str, *, reason: str = "certificate-wrong-kind"
) -> None:
    """Require exactly the `wanted` key usages (RFC 5280 names), critical; raises CertificateError with `reason`."""
    try:
        extension = extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as error:
        raise CertificateError(
            reason, f"The certificate states no key usage, which a {kind} certificate must."
        ) from error
    stated = {name for name, is_set in _KEY_USAGES.items() if is_set(extension.value)}
    if stated != wanted or not extension.critical:
        raise CertificateError(
            reason,
            f"The key usage of a {kind} certificate is {'+'.join(sorted(wanted))}, critical; "
            f"this one states {'+'.join(sorted(stated)) or 'none'}{'' if extension.critical else ', not critical'}.",
        )


def basic_constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    """The basic constraints of a certificate that is known to have them."""
    return extensions_of(certificate).get_extension_for_class(x509.BasicConstraints).value


def is_authority(extensions: x509.Extensions) -> bool:
    """Whether the basic constraints say CA."""
    try:
        extension = extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return extension.value.ca


def has_extension(extensions: x509.Extensions, oid: x509.ObjectIdentifier) -> bool:
    """Whether the extension `oid` is there, whatever it says."""
    return any(extension.oid == oid for extension in extensions)


def called(certificate: x509.Certificate) -> str:
    """How a message speaks of a certificate: by its subject."""
    return f"the certificate {certificate.subject.rfc4514_string()!r}"
