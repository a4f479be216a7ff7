"""What a time-stamp token looks like in bytes: TSTInfo (RFC 3161 section 2.4.2) inside CMS SignedData (RFC 5652).

There is one way to write a token from its parts, and it stands here. The authority writes tokens with it; whoever reads
one takes it apart, writes it anew with the same functions and compares, so that no byte of a token can be something
else than what its parts say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives import hashes

from estamp import der
from estamp.der import Reader

SHA256_OID = "2.16.840.1.101.3.4.2.1"
SHA384_OID = "2.16.840.1.101.3.4.2.2"
SHA512_OID = "2.16.840.1.101.3.4.2.3"

DIGEST_SIZES = {SHA256_OID: 32, SHA384_OID: 48, SHA512_OID: 64}
"""Bytes in a digest, by the object identifier of each hash algorithm that an imprint may use."""

MAXIMUM_NONCE_BITS = 512
"""RFC 3161 sets no limit to a nonce; a bound keeps a hostile request from being echoed at any length."""

MAXIMUM_SERIAL_BITS = 160
"""RFC 3161 section 2.4.2 wants readers to accept serial numbers up to this length."""

_VERSION_1 = der.integer(1)
_VERSION_3 = der.integer(3)
_SIGNED_DATA = der.object_identifier("1.2.840.113549.1.7.2")
_TST_INFO = der.object_identifier("1.2.840.113549.1.9.16.1.4")
_MESSAGE_DIGEST = der.object_identifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = der.object_identifier("1.2.840.113549.1.9.16.2.47")
_CONTENT_TYPE_ATTRIBUTE = der.sequence(der.object_identifier("1.2.840.113549.1.9.3"), der.tlv(der.SET, _TST_INFO))


@dataclass(frozen=True, slots=True)
class TstInfo:
    """The statement that a token signs: ``imprint`` existed at ``time``.

    ``null_parameters`` keeps whether the hash algorithm's parameters were NULL or absent: both are in use
    (RFC 5754 section 2), and a token repeats the imprint exactly as it was asked for.
    """

    policy: str
    hash_oid: str
    null_parameters: bool
    imprint: bytes
    serial: int
    time: datetime
    accuracy_seconds: int | None
    nonce: int | None

    def encode(self) -> bytes:
        """Return the DER of this statement."""
        return der.sequence(
            _VERSION_1,
            der.object_identifier(self.policy),
            encode_imprint(self.hash_oid, self.null_parameters, self.imprint),
            der.integer(self.serial),
            der.generalized_time(self.time),
            b"" if self.accuracy_seconds is None else der.sequence(der.integer(self.accuracy_seconds)),
            b"" if self.nonce is None else der.integer(self.nonce),
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "TstInfo":
        """Read a statement in the form that :meth:`encode` writes; raise :class:`estamp.der.DerError` for another.

        Fractions of a second, `ordering`, the authority's name and extensions are not part of that form.
        """
        outer = Reader(encoded)
        info = outer.enter(der.SEQUENCE)
        outer.finish()
        info.expect(_VERSION_1)
        policy = info.object_identifier()
        hash_oid, null_parameters, imprint = read_imprint(info)
        serial = info.integer()
        time = der.read_generalized_time(info.contents(der.GENERALIZED_TIME))
        accuracy = None
        if info.next_tag() == der.SEQUENCE:
            inner = info.enter(der.SEQUENCE)
            accuracy = inner.integer()
            inner.finish()
        nonce = info.integer() if info.next_tag() == der.INTEGER else None
        info.finish()
        if serial <= 0 or serial.bit_length() > MAXIMUM_SERIAL_BITS:
            raise der.DerError(f"a serial number is not positive, or longer than {MAXIMUM_SERIAL_BITS} bits")
        if accuracy is not None and not 0 < accuracy < 2**31:
            raise der.DerError("an accuracy is not a positive number of seconds")
        if nonce is not None and nonce.bit_length() > MAXIMUM_NONCE_BITS:
            raise der.DerError(f"a nonce is longer than {MAXIMUM_NONCE_BITS} bits")
        return cls(policy, hash_oid, null_parameters, imprint, serial, time, accuracy, nonce)


def encode_imprint(hash_oid: str, null_parameters: bool, imprint: bytes) -> bytes:
    """Return a MessageImprint: which hash algorithm, and the digest it gave."""
    parameters = der.NULL if null_parameters else b""
    return der.sequence(
        der.sequence(der.object_identifier(hash_oid), parameters),
        der.octet_string(imprint),
    )


def read_imprint(reader: Reader) -> tuple[str, bool, bytes]:
    """Read a MessageImprint: hash algorithm, whether its parameters were NULL, digest."""
    whole = reader.enter(der.SEQUENCE)
    algorithm = whole.enter(der.SEQUENCE)
    hash_oid = algorithm.object_identifier()
    null_parameters = algorithm.accept(der.NULL)
    algorithm.finish()
    imprint = whole.contents(der.OCTET_STRING)
    whole.finish()
    return hash_oid, null_parameters, imprint


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """A pair of digest and signature algorithm that a token may be signed with."""

    hash_algorithm: hashes.HashAlgorithm
    digest_algorithm: bytes
    signature_algorithm: bytes
    key_type: str


def _schemes() -> dict[tuple[bytes, bytes], SignatureScheme]:
    # For RSA the signature algorithm names only the key; the digest comes from the digest algorithm (RFC 5754 section
    # 3.2), which all implementations must support. Digest algorithms stand without parameters (section 2).
    rsa = der.sequence(der.object_identifier("1.2.840.113549.1.1.1"), der.NULL)
    found = {}
    for hash_algorithm, oid, ecdsa_oid in (
        (hashes.SHA256(), SHA256_OID, "1.2.840.10045.4.3.2"),
        (hashes.SHA384(), SHA384_OID, "1.2.840.10045.4.3.3"),
        (hashes.SHA512(), SHA512_OID, "1.2.840.10045.4.3.4"),
    ):
        digest = der.sequence(der.object_identifier(oid))
        ecdsa = der.sequence(der.object_identifier(ecdsa_oid))
        found[digest, ecdsa] = SignatureScheme(hash_algorithm, digest, ecdsa, "ec")
        found[digest, rsa] = SignatureScheme(hash_algorithm, digest, rsa, "rsa")
    return found


SCHEMES = _schemes()
"""Every acceptable scheme, by the DER of its digest algorithm and of its signature algorithm."""


@dataclass(frozen=True, slots=True)
class TokenParts:
    """A token taken apart. ``certificates`` are DER and in any order; the other byte fields are DER too."""

    scheme: SignatureScheme
    tst_info: bytes
    certificates: tuple[bytes, ...]
    issuer_and_serial: bytes
    signed_attributes: bytes
    signature: bytes

    def to_be_signed(self) -> bytes:
        """Return the bytes that the signature is over: the signed attributes as a SET (RFC 5652 section 5.4)."""
        return der.tlv(der.SET, self.signed_attributes)

    def with_signature(self, signature: bytes) -> "TokenParts":
        """Return the same parts with ``signature`` in place of theirs."""
        return replace(self, signature=signature)

    def encode(self) -> bytes:
        """Return the token."""
        scheme = self.scheme
        return der.sequence(
            _SIGNED_DATA,
            der.tlv(
                der.context(0),
                der.sequence(
                    _VERSION_3,
                    der.tlv(der.SET, scheme.digest_algorithm),
                    der.sequence(
                        _TST_INFO,
                        der.tlv(der.context(0), der.octet_string(self.tst_info)),
                    ),
                    der.tlv(der.context(0), der.sorted_set(self.certificates)) if self.certificates else b"",
                    der.tlv(
                        der.SET,
                        der.sequence(
                            _VERSION_1,
                            self.issuer_and_serial,
                            scheme.digest_algorithm,
                            der.tlv(der.context(0), self.signed_attributes),
                            scheme.signature_algorithm,
                            der.octet_string(self.signature),
                        ),
                    ),
                ),
            ),
        )

    @classmethod
    def decode(cls, token: bytes) -> "TokenParts":
        """Take a token apart; raise :class:`estamp.der.DerError` when :meth:`encode` would not write it so."""
        content_info = Reader(token)
        content = content_info.enter(der.SEQUENCE)
        content_info.finish()
        content.expect(_SIGNED_DATA)
        explicit = content.enter(der.context(0))
        content.finish()
        signed_data = explicit.enter(der.SEQUENCE)
        explicit.finish()

        signed_data.expect(_VERSION_3)
        digest_algorithm = signed_data.contents(der.SET)
        encapsulated = signed_data.enter(der.SEQUENCE)
        encapsulated.expect(_TST_INFO)
        wrapped = encapsulated.enter(der.context(0))
        encapsulated.finish()
        tst_info = wrapped.contents(der.OCTET_STRING)
        wrapped.finish()
        certificates = []
        if signed_data.next_tag() == der.context(0):
            enclosed = signed_data.enter(der.context(0))
            while enclosed.next_tag() is not None:
                certificates.append(enclosed.whole(der.SEQUENCE))
        signers = signed_data.enter(der.SET)
        signed_data.finish()

        signer = signers.enter(der.SEQUENCE)
        signers.finish()
        signer.expect(_VERSION_1)
        issuer_and_serial = signer.whole(der.SEQUENCE)
        signer.expect(digest_algorithm)
        signed_attributes = signer.contents(der.context(0))
        signature_algorithm = signer.whole(der.SEQUENCE)
        signature = signer.contents(der.OCTET_STRING)
        signer.finish()

        scheme = SCHEMES.get((digest_algorithm, signature_algorithm))
        if scheme is None:
            raise der.DerError("the signature algorithm is not one that is accepted")
        parts = cls(
            scheme,
            tst_info,
            tuple(certificates),
            issuer_and_serial,
            signed_attributes,
            signature,
        )
        if parts.encode() != token:
            raise der.DerError("written anew from its parts, the token comes out differently")
        return parts


def encode_signed_attributes(content_digest: bytes, certificate_digests: Sequence[bytes]) -> bytes:
    """Return the contents of the signed attributes: content type, message digest, signing-certificate-v2 (RFC 5816).

    ``certificate_digests`` are the SHA-256 digests of the authority's certificate and then of each other certificate
    that the token carries, so that not even those can be exchanged. SHA-256 is that attribute's default algorithm,
    which DER leaves out.
    """
    identifiers = [der.sequence(der.octet_string(digest)) for digest in certificate_digests]
    return der.sorted_set(
        (
            _CONTENT_TYPE_ATTRIBUTE,
            der.sequence(_MESSAGE_DIGEST, der.tlv(der.SET, der.octet_string(content_digest))),
            der.sequence(
                _SIGNING_CERTIFICATE_V2,
                der.tlv(der.SET, der.sequence(der.sequence(*identifiers))),
            ),
        )
    )


def read_certificate_digests(signed_attributes: bytes) -> list[bytes]:
    """Return the digests that the signing-certificate-v2 attribute lists, in its order.

    Whether the attributes as a whole are in order shows when they are written anew and compared.
    """
    attributes = Reader(signed_attributes)
    while attributes.next_tag() is not None:
        attribute = attributes.enter(der.SEQUENCE)
        if not attribute.accept(_SIGNING_CERTIFICATE_V2):
            continue
        identifiers = attribute.enter(der.SET).enter(der.SEQUENCE).enter(der.SEQUENCE)
        found = []
        while identifiers.next_tag() is not None:
            found.append(identifiers.enter(der.SEQUENCE).contents(der.OCTET_STRING))
        return found
    raise der.DerError("the signing-certificate-v2 attribute is missing")


@lru_cache(maxsize=64)
def issuer_and_serial_of(certificate: bytes) -> bytes:
    """Return the IssuerAndSerialNumber (RFC 5652 section 10.2.4) that names a certificate given as DER."""
    body = Reader(certificate).enter(der.SEQUENCE).enter(der.SEQUENCE)
    if body.next_tag() == der.context(0):
        body.whole(der.context(0))
    serial = body.whole(der.INTEGER)
    body.whole(der.SEQUENCE)
    return der.sequence(body.whole(der.SEQUENCE), serial)


@lru_cache(maxsize=64)
def certificate_digest(certificate: bytes) -> bytes:
    """Return the SHA-256 digest of a certificate given as DER."""
    return sha256(certificate).digest()
