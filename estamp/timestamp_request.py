"""Time-stamp requests: TimeStampReq of RFC 3161 section 2.4.1."""

from dataclasses import dataclass

from estamp import der
from estamp.der import DerError, Reader
from estamp.errors import TimestampError
from estamp.timestamp_structure import (
    DIGEST_SIZES,
    MAXIMUM_NONCE_BITS,
    SHA256_OID,
    encode_imprint,
    read_imprint,
)


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """What somebody asks a time-stamping authority for.

    ``imprint`` is the digest to be stamped and ``hash_oid`` the algorithm that made it (``null_parameters``: how its
    identifier was written, which the token repeats). ``extensions`` lists the object identifiers of any extensions.
    """

    imprint: bytes
    hash_oid: str
    nonce: int | None = None
    policy: str | None = None
    certificate_requested: bool = False
    null_parameters: bool = False
    extensions: tuple[str, ...] = ()


def make_request(imprint: bytes, nonce: int) -> bytes:
    """Return a request to stamp ``imprint``, a SHA-256 digest (32 bytes), that asks for the certificate too.

    ``nonce`` should be 64 random bits; the answer must repeat it. Raises :class:`ValueError` for an imprint of another
    size.
    """
    if len(imprint) != DIGEST_SIZES[SHA256_OID]:
        raise ValueError(f"an imprint is a SHA-256 digest of 32 bytes; this one has {len(imprint)}")
    return der.sequence(
        der.integer(1),
        encode_imprint(SHA256_OID, False, imprint),
        der.integer(nonce),
        der.TRUE,
    )


def read_request(encoded: bytes) -> TimestampRequest:
    """Read a request. Any hash algorithm passes (the authority decides), but a known one must fit its imprint.

    Raises :class:`~estamp.errors.TimestampError` with reason ``timestamp-unsupported-version`` for a version other
    than 1, otherwise ``timestamp-malformed``.
    """
    try:
        outer = Reader(encoded)
        request = outer.enter(der.SEQUENCE)
        outer.finish()
        version = request.integer()
        if version != 1:
            raise TimestampError(
                "timestamp-unsupported-version",
                "the time-stamp request is not of version 1, the only one there is",
            )
        hash_oid, null_parameters, imprint = read_imprint(request)
        policy = request.object_identifier() if request.next_tag() == der.OBJECT_IDENTIFIER else None
        nonce = request.integer() if request.next_tag() == der.INTEGER else None
        # FALSE is the default, which DER leaves out; several clients write it nevertheless, and it harms nobody.
        certificate_requested = request.accept(der.TRUE)
        if not certificate_requested:
            request.accept(der.FALSE)
        extensions = _read_extensions(request) if request.next_tag() == der.context(0) else ()
        request.finish()
    except DerError as error:
        raise TimestampError("timestamp-malformed", f"the time-stamp request cannot be read: {error}") from error
    if len(imprint) != DIGEST_SIZES.get(hash_oid, len(imprint)):
        raise TimestampError(
            "timestamp-malformed",
            "the imprint has not the size that its hash algorithm gives",
        )
    if nonce is not None and nonce.bit_length() > MAXIMUM_NONCE_BITS:
        raise TimestampError("timestamp-malformed", f"the nonce is longer than {MAXIMUM_NONCE_BITS} bits")
    return TimestampRequest(
        imprint,
        hash_oid,
        nonce,
        policy,
        certificate_requested,
        null_parameters,
        extensions,
    )


def _read_extensions(request: Reader) -> tuple[str, ...]:
    identifiers = []
    extensions = request.enter(der.context(0))
    while extensions.next_tag() is not None:
        extension = extensions.enter(der.SEQUENCE)
        identifiers.append(extension.object_identifier())
        extension.accept(der.TRUE)
        extension.contents(der.OCTET_STRING)
        extension.finish()
    if not identifiers:
        raise DerError("the list of extensions is empty")
    return tuple(identifiers)
