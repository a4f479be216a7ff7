"""Making time-stamp tokens: the authority's half of RFC 3161."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import new as new_digest

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from estamp.timestamp_request import TimestampRequest
from estamp.timestamp_response import make_granted
from estamp.timestamp_structure import (
    SCHEMES,
    SignatureScheme,
    TokenParts,
    TstInfo,
    certificate_digest,
    encode_signed_attributes,
    issuer_and_serial_of,
)


class TimestampIssuer:
    """Signs tokens with one key, under one certificate and policy. It holds no state between tokens and may be shared.

    ``chain`` holds further certificates to put into each token; ``accuracy_seconds`` is how far, in whole seconds, a
    token's time may be from the true one. Raises :class:`ValueError` for a key that is not EC P-256, EC P-384 or RSA
    of at least 2048 bits.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate],
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
        *,
        policy: str,
        accuracy_seconds: int = 1,
    ) -> None:
        self._key = key
        self._scheme = _scheme_for(key)
        self._policy = policy
        self._accuracy_seconds = accuracy_seconds
        self._certificates = tuple(each.public_bytes(Encoding.DER) for each in (certificate, *chain))
        self._issuer_and_serial = issuer_and_serial_of(self._certificates[0])

    def issue(self, request: TimestampRequest, *, serial: int, time: datetime) -> bytes:
        """Return a TimeStampResp that grants ``request`` with a token of serial number ``serial`` and ``time``.

        ``serial`` is positive, at most 160 bits, and never used again; ``time`` is cut to whole seconds. The caller has
        decided that the request's algorithm, policy and extensions are acceptable.
        """
        scheme = self._scheme
        tst_info = TstInfo(
            policy=self._policy,
            hash_oid=request.hash_oid,
            null_parameters=request.null_parameters,
            imprint=request.imprint,
            serial=serial,
            time=time,
            accuracy_seconds=self._accuracy_seconds,
            nonce=request.nonce,
        ).encode()
        certificates = self._certificates if request.certificate_requested else ()
        # The attribute names the authority's certificate even in a token that does not carry it.
        named = certificates or self._certificates[:1]
        attributes = encode_signed_attributes(
            new_digest(scheme.hash_algorithm.name, tst_info).digest(),
            [certificate_digest(each) for each in named],
        )
        unsigned = TokenParts(scheme, tst_info, certificates, self._issuer_and_serial, attributes, b"")
        return make_granted(unsigned.with_signature(self._sign(unsigned.to_be_signed())).encode())

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, ec.ECDSA(self._scheme.hash_algorithm))
        return self._key.sign(data, padding.PKCS1v15(), self._scheme.hash_algorithm)


def make_response(
    request: TimestampRequest,
    *,
    serial: int,
    time: datetime,
    policy: str,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    accuracy_seconds: int = 1,
) -> bytes:
    """Return a TimeStampResp that grants ``request``; for a single one. See :class:`TimestampIssuer` for many."""
    issuer = TimestampIssuer(certificate, chain, key, policy=policy, accuracy_seconds=accuracy_seconds)
    return issuer.issue(request, serial=serial, time=time)


def _scheme_for(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> SignatureScheme:
    digest: type[hashes.HashAlgorithm]
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        wanted, digest = "ec", hashes.SHA256
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        wanted, digest = "ec", hashes.SHA384
    elif isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        wanted, digest = "rsa", hashes.SHA256
    else:
        raise ValueError("a time-stamping key is EC P-256, EC P-384, or RSA of at least 2048 bits; make one of these")
    return next(
        scheme for scheme in SCHEMES.values() if scheme.key_type == wanted and isinstance(scheme.hash_algorithm, digest)
    )
