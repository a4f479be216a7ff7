"""Certificate status answers (RFC 6960, OCSP): asking, and reading an answer strictly.

An answer that is kept as evidence must not be changeable in any byte. Its signature covers only its inner part, so the
whole is put together again from the parts that were understood, each of them signed or compared, and must give the
same bytes. What survives that has one spelling, exactly one status in it, and at most one certificate: the
responder's own.

There is no clock here: whether an answer is fresh enough is for the caller, who has `produced_at`, `this_update` and
`next_update` to judge by.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import SignatureAlgorithmOID

from estamp import der as encoding
from estamp.certificate_algorithms import public_key, require_strong_key
from estamp.certificates import Kind, kind_of, require_issued_by
from estamp.errors import CertificateError, StatusError

EIGHT_HOURS: Final = timedelta(hours=8)
"""The longest time that may lie between an e-stamp's timestamp and its certificate status."""

_OCSP_BASIC: Final = encoding.object_identifier("1.3.6.1.5.5.7.48.1.1")
_SUCCESSFUL: Final = bytes.fromhex("0a0100")

# The whole AlgorithmIdentifier of each signature that is believed, in its one spelling (RFC 5758, 3.2; RFC 4055, 5).
_RSA_PREFIX: Final = "300d06092a864886f70d0101"
_ALGORITHMS: Final[dict[x509.ObjectIdentifier, bytes]] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: bytes.fromhex("300a06082a8648ce3d040302"),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: bytes.fromhex("300a06082a8648ce3d040303"),
    SignatureAlgorithmOID.RSA_WITH_SHA256: bytes.fromhex(_RSA_PREFIX + "0b0500"),
    SignatureAlgorithmOID.RSA_WITH_SHA384: bytes.fromhex(_RSA_PREFIX + "0c0500"),
    SignatureAlgorithmOID.RSA_WITH_SHA512: bytes.fromhex(_RSA_PREFIX + "0d0500"),
}
_HASHES: Final[dict[x509.ObjectIdentifier, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: hashes.SHA256(),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: hashes.SHA384(),
    SignatureAlgorithmOID.RSA_WITH_SHA256: hashes.SHA256(),
    SignatureAlgorithmOID.RSA_WITH_SHA384: hashes.SHA384(),
    SignatureAlgorithmOID.RSA_WITH_SHA512: hashes.SHA512(),
}

_ECDSA_ALGORITHMS: Final = (SignatureAlgorithmOID.ECDSA_WITH_SHA256, SignatureAlgorithmOID.ECDSA_WITH_SHA384)
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class CertificateStatus(StrEnum):
    """What a responder says of a certificate (RFC 6960, 2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """One responder's signed answer about one certificate, read and found sound.

    `der` is the whole OCSPResponse. `revoked_at` and `revocation_reason` (RFC 5280's word, such as `keyCompromise`) are
    None unless the status is revoked; the reason may be None even then, and so may `next_update`. `responder` is the
    certificate whose key signed: the enclosed one, or the issuer itself.
    """

    der: bytes
    status: CertificateStatus
    revoked_at: datetime | None
    revocation_reason: str | None
    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    responder: x509.Certificate


@dataclass(frozen=True, slots=True)
class IssuerHashes:
    """How an OCSP request names an issuer (RFC 6960, 4.1.1): digests of its subject name and of its key's bits."""

    name: bytes
    key: bytes


def issuer_hashes(issuer: x509.Certificate, algorithm: str) -> IssuerHashes:
    """The digests that name `issuer` in a request, with hashlib's `algorithm` (`sha1` or `sha256`).

    SHA-1 is what the protocol's clients use; it only looks the issuer up, nothing is believed because of it. Raises
    CertificateError (`unsupported-algorithm`) when the issuer's key is neither EC nor RSA.
    """
    key = public_key(issuer)
    if isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    name = issuer.subject.public_bytes()
    return IssuerHashes(
        hashlib.new(algorithm, name, usedforsecurity=False).digest(),
        hashlib.new(algorithm, bits, usedforsecurity=False).digest(),
    )


def make_request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """An OCSPRequest (DER) for one certificate, with a nonce of 1 to 128 bytes (RFC 9654; 32 are recommended)."""
    # SHA-1 only looks the issuer up here, and every responder understands it.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def read_answer(
    der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, *, nonce: bytes | None
) -> StatusAnswer:
    """Read an OCSPResponse about `certificate`, which `issuer` issued; believe it only if it is sound in every byte.

    The issuer's own chain is the caller's to check, and so are the times. `nonce` is the one that was sent; None, for
    an answer kept as evidence, looks at none. Raises StatusError: `status-unavailable` when the responder declined
    (try later, unauthorized, …), `status-malformed`, `status-other-certificate`, `status-nonce`,
    `status-unauthorised-responder` when whoever signed may not speak for the issuer, `status-invalid` when the
    signature does not hold or the answer contradicts itself.
    """
    response = _parse(der)
    try:
        single = _only_answer(response)
        _require_about(single, certificate, issuer)
        _require_plain_extensions(response)
        enclosed = response.certificates
        responder = enclosed[0] if len(enclosed) == 1 else issuer
        if len(enclosed) > 1:
            raise StatusError("status-malformed", f"The status answer encloses {len(enclosed)} certificates, not one.")
        _require_same_bytes(der, response)
        key = _authorised_key(responder, issuer)
        _require_valid_then(responder, response.produced_at_utc)
        _require_named(response, responder)
        _require_signature(response, key)
        _require_nonce(response, nonce)
        answer = _answer(der, response, single, responder)
    except (
        ValueError,
        TypeError,
        NotImplementedError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
    ) as error:
        raise StatusError("status-malformed", f"The status answer cannot be read: {error}.") from error
    if answer.this_update > answer.produced_at or (answer.next_update and answer.next_update < answer.this_update):
        raise StatusError("status-invalid", "The status answer's times contradict each other.")
    return answer


def _parse(der: bytes) -> ocsp.OCSPResponse:
    try:
        response = ocsp.load_der_ocsp_response(der)
    except ValueError as error:
        raise StatusError("status-malformed", f"This is not an OCSP response in DER form: {error}.") from error
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise StatusError(
            "status-unavailable",
            f"The status responder gave no answer but {response.response_status.name.lower().replace('_', ' ')!r}.",
        )
    return response


def _only_answer(response: ocsp.OCSPResponse) -> ocsp.OCSPSingleResponse:
    answers = list(response.responses)
    if len(answers) != 1:
        raise StatusError("status-malformed", f"The status answer speaks of {len(answers)} certificates, not of one.")
    return answers[0]


def _require_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    if not isinstance(single.hash_algorithm, hashes.SHA1 | hashes.SHA256):
        raise StatusError("status-malformed", "The status answer names its certificate by neither SHA-1 nor SHA-256.")
    expected = _cached_issuer_hashes(issuer, single.hash_algorithm.name)
    if (
        single.serial_number != certificate.serial_number
        or single.issuer_name_hash != expected.name
        or single.issuer_key_hash != expected.key
        or certificate.issuer != issuer.subject
    ):
        raise StatusError("status-other-certificate", "The status answer is about another certificate.")


def _require_plain_extensions(response: ocsp.OCSPResponse) -> None:
    for extension in (*response.extensions, *response.single_extensions):
        if extension.critical and not isinstance(extension.value, x509.OCSPNonce):
            raise StatusError(
                "status-malformed",
                f"The status answer has the critical extension {extension.oid.dotted_string}, "
                "which is not understood here.",
            )


def _require_same_bytes(der: bytes, response: ocsp.OCSPResponse) -> None:
    """Put the answer together anew (RFC 6960, 4.2.1) and require the very bytes that came."""
    algorithm = _ALGORITHMS.get(response.signature_algorithm_oid)
    if algorithm is None:
        raise StatusError(
            "status-invalid",
            f"The status answer is signed with {response.signature_algorithm_oid.dotted_string}, "
            "which is not believed here.",
        )
    signature = encoding.tlv(encoding.BIT_STRING, b"\x00", response.signature)
    parts = [response.tbs_response_bytes, algorithm, signature]
    if response.certificates:
        enclosed = encoding.sequence(*(each.public_bytes(Encoding.DER) for each in response.certificates))
        parts.append(encoding.tlv(encoding.context(0), enclosed))
    basic = encoding.octet_string(encoding.sequence(*parts))
    response_bytes = encoding.tlv(encoding.context(0), encoding.sequence(_OCSP_BASIC, basic))
    if encoding.sequence(_SUCCESSFUL, response_bytes) != der:
        raise StatusError("status-malformed", "The status answer is not spelled in the one form that DER allows.")


def _require_named(response: ocsp.OCSPResponse, responder: x509.Certificate) -> None:
    if response.responder_name is not None:
        named = response.responder_name == responder.subject
    else:
        named = response.responder_key_hash == _cached_issuer_hashes(responder, "sha1").key
    if not named:
        raise StatusError(
            "status-unauthorised-responder", "The status answer names another responder than the one enclosed."
        )


def _require_valid_then(responder: x509.Certificate, produced_at: datetime) -> None:
    if not responder.not_valid_before_utc <= produced_at <= responder.not_valid_after_utc:
        raise StatusError(
            "status-unauthorised-responder",
            f"The responder's certificate was not valid when the answer was made, {produced_at:%Y-%m-%dT%H:%M:%SZ}.",
        )


# The same responder signs thousands of answers; whether its issuer delegated to it never changes, and reading its key
# takes as long as verifying with it. Refusals are not kept.
@lru_cache(maxsize=64)
def _authorised_key(responder: x509.Certificate, issuer: x509.Certificate) -> _PublicKey:
    """The key of a responder that may speak for `issuer`: that of the issuer itself, or of its delegate."""
    try:
        if responder != issuer:
            require_issued_by(responder, issuer)
            if (kind := kind_of(responder)) is not Kind.OCSP:
                raise CertificateError("certificate-wrong-kind", f"It signed with a {kind} certificate.")
        require_strong_key(responder)
        return public_key(responder)
    except CertificateError as error:
        raise StatusError(
            "status-unauthorised-responder",
            f"Whoever signed the status answer may not speak for the certificate's issuer. {error.message}",
        ) from error


@lru_cache(maxsize=64)
def _cached_issuer_hashes(issuer: x509.Certificate, algorithm: str) -> IssuerHashes:
    return issuer_hashes(issuer, algorithm)


def _require_signature(response: ocsp.OCSPResponse, key: _PublicKey) -> None:
    algorithm = response.signature_algorithm_oid
    if (algorithm in _ECDSA_ALGORITHMS) != isinstance(key, ec.EllipticCurvePublicKey):
        raise StatusError("status-invalid", "The status answer's signature is not of its responder's kind of key.")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(_HASHES[algorithm]))
        else:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), _HASHES[algorithm])
    except InvalidSignature as error:
        raise StatusError("status-invalid", "The status answer's signature does not hold.") from error


def _require_nonce(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    if nonce is None:
        return
    try:
        echoed = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        echoed = b""
    if not hmac.compare_digest(echoed, nonce):
        raise StatusError(
            "status-nonce", "The status answer does not carry the nonce that was sent: it may have been made earlier."
        )


def _answer(
    der: bytes, response: ocsp.OCSPResponse, single: ocsp.OCSPSingleResponse, responder: x509.Certificate
) -> StatusAnswer:
    return StatusAnswer(
        der=der,
        status=CertificateStatus(single.certificate_status.name.lower()),
        revoked_at=single.revocation_time_utc,
        revocation_reason=single.revocation_reason.value if single.revocation_reason else None,
        produced_at=response.produced_at_utc,
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        responder=responder,
    )
