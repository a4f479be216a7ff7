"""Time-stamps (RFC 3161): asking for one, reading the answer, and judging a token.

The form of a token is narrower than the RFC's, so that no part of it can be changed, added or taken away:

- CMS SignedData version 3 in DER, one signer named by issuer and serial number, no unsigned attributes, no CRLs;
- TSTInfo with policy, imprint, serial number, time in whole seconds, optionally accuracy in whole seconds and nonce,
  and nothing else;
- signed attributes content-type, message-digest and signing-certificate-v2 alone; the last lists, in SHA-256, the
  authority's certificate first and then every other certificate enclosed;
- digest algorithms without parameters (RFC 5754), the same one throughout; signatures ECDSA over P-256 or P-384, or
  RSA PKCS#1 v1.5 (written as rsaEncryption) with at least 2048 bits, each with SHA-256, SHA-384 or SHA-512.

Tokens of other authorities that RFC 3161 allows but this form does not are refused with ``timestamp-malformed``.
What nobody can take from ECDSA: to a signature (r, s) there is (r, n-s), which holds as well and says the same.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import new as new_digest

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from estamp.certificate_algorithms import public_key, require_strong_key
from estamp.certificates import require_readable
from estamp.der import DerError
from estamp.errors import CertificateError, TimestampError
from estamp.timestamp_issuing import TimestampIssuer, make_response
from estamp.timestamp_request import TimestampRequest, make_request, read_request
from estamp.timestamp_response import (
    MAXIMUM_TOKEN_BYTES,
    Failure,
    make_failure,
    read_response,
)
from estamp.timestamp_structure import (
    SHA256_OID,
    TokenParts,
    TstInfo,
    certificate_digest,
    encode_signed_attributes,
    issuer_and_serial_of,
    read_certificate_digests,
)

__all__ = [
    "Failure",
    "Timestamp",
    "TimestampIssuer",
    "TimestampRequest",
    "make_failure",
    "make_request",
    "make_response",
    "read_request",
    "read_response",
    "read_token",
]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What a verified token says: that something existed at ``time`` (UTC, whole seconds).

    ``certificate`` is the authority's, ``intermediates`` are the other certificates that the token carries;
    ``accuracy_seconds`` is the authority's own bound for its error. ``token`` is the token itself, DER.
    """

    time: datetime
    serial: int
    policy: str
    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    token: bytes
    accuracy_seconds: int | None
    nonce: int | None


def read_token(token: bytes, imprint: bytes) -> Timestamp:
    """Read ``token`` and check that it is a signed statement about ``imprint`` (a SHA-256 digest).

    It is when it has exactly the form described above, its signature is valid under the enclosed certificate, and the
    signed attributes name exactly the enclosed certificates. Whether that certificate belongs to an authority (its
    chain, kind and validity at the time of the token) is for the caller to check.

    Raises :class:`~estamp.errors.TimestampError` with reason ``timestamp-malformed`` (form), ``timestamp-invalid``
    (signature or certificate do not fit) or ``timestamp-other-signature`` (a sound token, about something else).
    """
    if len(token) > MAXIMUM_TOKEN_BYTES:
        raise _malformed(f"it has {len(token)} bytes, and at most {MAXIMUM_TOKEN_BYTES} are accepted")
    try:
        parts = TokenParts.decode(token)
        info = TstInfo.decode(parts.tst_info)
        if info.encode() != parts.tst_info:
            raise DerError("written anew, the signed statement comes out differently")
        named = read_certificate_digests(parts.signed_attributes)
    except DerError as error:
        raise _malformed(str(error)) from error

    enclosed = {certificate_digest(each): each for each in parts.certificates}
    if not named or len(parts.certificates) != len(named) or set(named) != set(enclosed):
        raise _invalid("the certificates in it are not the ones that its signer named")
    ordered = [enclosed[digest] for digest in named]
    try:
        if issuer_and_serial_of(ordered[0]) != parts.issuer_and_serial:
            raise _invalid("its signer is named differently than the certificate in it")
    except DerError as error:
        raise _malformed(f"a certificate in it cannot be read: {error}") from error
    content_digest = new_digest(parts.scheme.hash_algorithm.name, parts.tst_info).digest()
    if encode_signed_attributes(content_digest, named) != parts.signed_attributes:
        raise _invalid("its signed attributes do not belong to its content")
    certificates = tuple(_load(each) for each in ordered)
    _check_signature(parts, _public_key(ordered[0]))

    if info.hash_oid != SHA256_OID or info.imprint != imprint:
        raise TimestampError(
            "timestamp-other-signature",
            "the time-stamp is about something else than what it stands at",
        )
    return Timestamp(
        time=info.time,
        serial=info.serial,
        policy=info.policy,
        certificate=certificates[0],
        intermediates=certificates[1:],
        token=token,
        accuracy_seconds=info.accuracy_seconds,
        nonce=info.nonce,
    )


def _check_signature(parts: TokenParts, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> None:
    scheme = parts.scheme
    try:
        if scheme.key_type == "ec" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(parts.signature, parts.to_be_signed(), ec.ECDSA(scheme.hash_algorithm))
        elif scheme.key_type == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(
                parts.signature,
                parts.to_be_signed(),
                padding.PKCS1v15(),
                scheme.hash_algorithm,
            )
        else:
            raise _invalid("its signature algorithm does not fit the key of its certificate")
    except InvalidSignature as error:
        raise _invalid("its signature does not hold") from error


# An instance has a few authorities, whose certificates stand in every token: they are parsed once.
@lru_cache(maxsize=64)
def _load(certificate: bytes) -> x509.Certificate:
    try:
        loaded = x509.load_der_x509_certificate(certificate)
        require_readable(loaded)
    except (ValueError, CertificateError) as error:
        raise _malformed(f"a certificate in it cannot be read: {error}") from error
    return loaded


@lru_cache(maxsize=64)
def _public_key(certificate: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    loaded = _load(certificate)
    try:
        require_strong_key(loaded)
        return public_key(loaded)
    except CertificateError as error:
        raise _invalid(error.message) from error


def _malformed(what: str) -> TimestampError:
    return TimestampError(
        "timestamp-malformed",
        f"the time-stamp token is not in the accepted form: {what}",
    )


def _invalid(what: str) -> TimestampError:
    return TimestampError("timestamp-invalid", f"the time-stamp token is not valid: {what}")
