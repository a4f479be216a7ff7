"""The keys and signature algorithms under which a certificate is believed, and whether one key signed another's."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from estamp import der
from estamp.certificate_extensions import called, extensions_of
from estamp.errors import CertificateError

SIGNATURE_ALGORITHMS: Final = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
"""The signature algorithms under which a certificate is believed."""

SMALLEST_RSA_KEY: Final = 2048
"""The smallest RSA modulus, in bits, that is believed."""


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """The certificate's key; raises CertificateError (`unsupported-algorithm`) when it is neither EC nor RSA."""
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError("unsupported-algorithm", f"The key of {called(certificate)} cannot be read.") from error
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return key
    raise CertificateError("unsupported-algorithm", f"The key of {called(certificate)} is neither EC nor RSA.")


def require_strong_key(certificate: x509.Certificate) -> None:
    """Require P-256, P-384 or RSA of SMALLEST_RSA_KEY bits; raises CertificateError (`unsupported-algorithm`)."""
    key = public_key(certificate)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_KEY:
        return
    raise CertificateError(
        "unsupported-algorithm", f"The key of {called(certificate)} is neither on P-256 or P-384 nor RSA of 2048 bits."
    )


def require_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Require that `issuer`'s key signed `certificate`, by name, key identifier and signature.

    Raises CertificateError: `unsupported-algorithm` off the list, `certificate-malformed`, else
    `certificate-chain`.
    """
    if certificate.signature_algorithm_oid not in SIGNATURE_ALGORITHMS:
        raise CertificateError(
            "unsupported-algorithm",
            f"{called(certificate)} is signed with {certificate.signature_algorithm_oid.dotted_string}; "
            "only ECDSA and RSA PKCS #1 v1.5 with SHA-256, SHA-384 or SHA-512 are believed.",
        )
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise CertificateError(
            "certificate-chain", f"{called(certificate)} was not signed by {called(issuer)}."
        ) from error
    # The library passes over a count of unused bits before the signature, which would leave one byte free to change.
    if not certificate.public_bytes(Encoding.DER).endswith(der.tlv(der.BIT_STRING, b"\x00", certificate.signature)):
        raise CertificateError("certificate-malformed", f"The signature of {called(certificate)} is not whole bytes.")
    if not key_identifiers_agree(certificate, issuer):
        raise CertificateError(
            "certificate-chain", f"{called(certificate)} names another key than that of {called(issuer)}."
        )


def key_identifiers_agree(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the authority key identifier, where one is stated, is the subject key identifier of `issuer`."""
    try:
        authority = extensions_of(certificate).get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        subject = extensions_of(issuer).get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return True
    return authority is None or authority == subject
