"""Answers to time-stamp requests: TimeStampResp of RFC 3161 section 2.4.2, granted or refused."""

from enum import IntEnum

from estamp import der
from estamp.der import DerError, Reader
from estamp.errors import TimestampError
from estamp.timestamp_structure import SHA256_OID, TokenParts, TstInfo

MAXIMUM_TOKEN_BYTES = 64 * 1024
"""Bytes in a token, and in an answer, at most. Ours have 1 to 5 KB; the bound keeps a hostile one from costing time."""

_GRANTED = der.sequence(der.integer(0))
_REJECTION = 2


class Failure(IntEnum):
    """PKIFailureInfo: why an authority refused, as the number of the bit that says so."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADD_INFO_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25

    @property
    def standard_name(self) -> str:
        """Return the name that RFC 3161 uses, for example ``badDataFormat``."""
        first, *rest = self.name.lower().split("_")
        return first + "".join(word.capitalize() for word in rest)


def make_granted(token: bytes) -> bytes:
    """Return the answer that hands over ``token``."""
    return der.sequence(_GRANTED, token)


def make_failure(failure: Failure, text: str) -> bytes:
    """Return a rejection that says which ``failure`` it was, and for people ``text``."""
    # A BIT STRING with named bits: the first bit is the highest of the first byte, zero bits at the end are cut off.
    size = failure // 8 + 1
    bits = (1 << (8 * size - 1 - failure)).to_bytes(size, "big")
    return der.sequence(
        der.sequence(
            der.integer(_REJECTION),
            der.sequence(der.tlv(der.UTF8_STRING, text.encode())),
            der.tlv(der.BIT_STRING, bytes((7 - failure % 8,)), bits),
        )
    )


def read_response(encoded: bytes, *, imprint: bytes, nonce: int) -> bytes:
    """Return the token of an authority's answer to ``make_request(imprint, nonce)``.

    Checks that the answer is well formed, is a grant, and is the answer to this request: its imprint and nonce are the
    ones sent. Signature and certificate are checked by :func:`estamp.timestamp.read_token`, which the caller uses next.

    Raises :class:`~estamp.errors.TimestampError`: ``timestamp-malformed``, ``timestamp-refused`` (the message repeats
    what the authority said), ``timestamp-other-signature`` (another imprint) or ``timestamp-nonce``.
    """
    try:
        if len(encoded) > MAXIMUM_TOKEN_BYTES:
            raise DerError(f"it has {len(encoded)} bytes, and at most {MAXIMUM_TOKEN_BYTES} are accepted")
        outer = Reader(encoded)
        response = outer.enter(der.SEQUENCE)
        outer.finish()
        if not response.accept(_GRANTED):
            raise TimestampError("timestamp-refused", _refusal(response.enter(der.SEQUENCE)))
        token = response.whole(der.SEQUENCE)
        response.finish()
        info = TstInfo.decode(TokenParts.decode(token).tst_info)
    except DerError as error:
        raise TimestampError("timestamp-malformed", f"the authority's answer cannot be read: {error}") from error
    if info.hash_oid != SHA256_OID or info.imprint != imprint:
        raise TimestampError(
            "timestamp-other-signature",
            "the authority stamped something else than it was asked for",
        )
    if info.nonce != nonce:
        raise TimestampError(
            "timestamp-nonce",
            "the authority's answer does not repeat the nonce of the request",
        )
    return token


def _refusal(status_info: Reader) -> str:
    status = status_info.integer()
    if not 0 <= status <= 5:
        raise DerError("the status is not one of the six that there are")
    text = ""
    if status_info.next_tag() == der.SEQUENCE:
        lines = status_info.enter(der.SEQUENCE)
        while lines.next_tag() is not None:
            text += lines.contents(der.UTF8_STRING).decode("utf-8", "replace") + " "
    names = []
    if status_info.next_tag() == der.BIT_STRING:
        bits = int.from_bytes(status_info.contents(der.BIT_STRING)[1:5].ljust(4, b"\0"), "big")
        names = [failure.standard_name for failure in Failure if bits >> (31 - failure) & 1]
    # What a stranger wrote goes into logs and onto screens: only printable, and not at any length.
    said = "".join(character if character.isprintable() else "?" for character in text.strip())[:200]
    return f"the authority refused with status {status}, {' '.join(names) or 'no failure code'}: {said or 'no words'}"
