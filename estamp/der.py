"""A small strict reader and writer for DER (ITU-T X.690), the encoding of time-stamp requests and tokens.

Only what the e-stamp needs: definite lengths, tags below 31, and nothing that DER allows to be written in two ways.
The reader never guesses: a length that is not minimal, an integer with a superfluous byte or anything left over is a
:class:`DerError`. It exists beside asn1crypto because a token is read and written on the path of every message, where
building asn1crypto's object tree costs more than the signature does.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"
FALSE = b"\x01\x01\x00"


class DerError(ValueError):
    """The bytes are not the DER that was expected; callers turn this into the error of what they were reading."""


def context(number: int) -> int:
    """Return the tag of a constructed context-specific element, ``[number]`` in ASN.1 notation."""
    return 0xA0 | number


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode one element: its tag, its minimal length, and ``contents`` one after the other."""
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*elements: bytes) -> bytes:
    """Encode a SEQUENCE of elements that are encoded already."""
    return tlv(SEQUENCE, *elements)


def sorted_set(elements: Iterable[bytes]) -> bytes:
    """Return the contents of a SET OF: DER orders its elements by their encodings (X.690 section 11.6)."""
    return b"".join(sorted(elements))


def integer(value: int) -> bytes:
    """Encode an INTEGER in two's complement with as few bytes as possible."""
    magnitude = value if value >= 0 else ~value
    return tlv(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def octet_string(value: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return tlv(OCTET_STRING, value)


@lru_cache(maxsize=256)
def object_identifier(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER from its dotted form, for example ``"1.2.840.113549.1.7.2"``.

    Raises :class:`DerError` when ``dotted`` is not an object identifier.
    """
    pieces = dotted.split(".")
    if len(pieces) < 2 or not all(piece.isascii() and piece.isdigit() and str(int(piece)) == piece for piece in pieces):
        raise DerError(f"{dotted!r} is not an object identifier: write numbers joined by dots, such as 2.999.1")
    first, second, *rest = map(int, pieces)
    if first > 2 or (first < 2 and second > 39):
        raise DerError(f"{dotted!r} is not an object identifier: it begins with 0.0-0.39, 1.0-1.39 or 2.")
    body = bytearray()
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        body += bytes(reversed(groups))
    return tlv(OBJECT_IDENTIFIER, bytes(body))


def generalized_time(moment: datetime) -> bytes:
    """Encode a moment as GeneralizedTime in whole seconds of UTC; parts of a second are dropped."""
    utc = moment.astimezone(UTC)
    text = f"{utc.year:04}{utc.month:02}{utc.day:02}{utc.hour:02}{utc.minute:02}{utc.second:02}Z"
    return tlv(GENERALIZED_TIME, text.encode("ascii"))


class Reader:
    """Walks through the elements of one constructed value, in order.

    Every method that reads raises :class:`DerError` when what follows is not what was asked for.
    """

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._position = start
        self._end = len(data) if end is None else end

    def _header(self, tag: int) -> tuple[int, int]:
        """Return where the contents of the next element begin and end; the element must have ``tag``."""
        data, start, limit = self._data, self._position, self._end
        if start + 2 > limit:
            raise DerError("the data end where another element was expected")
        if data[start] != tag:
            raise DerError(f"expected an element with tag 0x{tag:02x} and found 0x{data[start]:02x}")
        size = data[start + 1]
        start += 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or start + count > limit:
                raise DerError("a length is indefinite, too long or cut off")
            size = int.from_bytes(data[start : start + count], "big")
            if size < 0x80 or size >> (8 * (count - 1)) == 0:
                raise DerError("a length is not written in its shortest form")
            start += count
        if start + size > limit:
            raise DerError("an element is longer than what contains it")
        return start, start + size

    def next_tag(self) -> int | None:
        """Return the tag of the next element without reading it, or None at the end."""
        return self._data[self._position] if self._position < self._end else None

    def enter(self, tag: int) -> "Reader":
        """Read the next element and return a reader for its contents."""
        start, end = self._header(tag)
        self._position = end
        return Reader(self._data, start, end)

    def contents(self, tag: int) -> bytes:
        """Read the next element and return its contents."""
        start, end = self._header(tag)
        self._position = end
        return self._data[start:end]

    def whole(self, tag: int) -> bytes:
        """Read the next element and return it with its tag and length."""
        begin = self._position
        _, end = self._header(tag)
        self._position = end
        return self._data[begin:end]

    def expect(self, encoded: bytes) -> None:
        """Read exactly the bytes ``encoded``."""
        end = self._position + len(encoded)
        if end > self._end or self._data[self._position : end] != encoded:
            raise DerError("a part that is always the same has another value")
        self._position = end

    def accept(self, encoded: bytes) -> bool:
        """Read the bytes ``encoded`` if they come next; say whether they did."""
        end = self._position + len(encoded)
        if end > self._end or self._data[self._position : end] != encoded:
            return False
        self._position = end
        return True

    def integer(self) -> int:
        """Read an INTEGER; it may be negative."""
        body = self.contents(INTEGER)
        if not body or (len(body) > 1 and (body[0], body[1] >> 7) in ((0x00, 0), (0xFF, 1))):
            raise DerError("an integer is empty or not written in its shortest form")
        return int.from_bytes(body, "big", signed=True)

    def object_identifier(self) -> str:
        """Read an OBJECT IDENTIFIER and return its dotted form."""
        return _dotted(self.contents(OBJECT_IDENTIFIER))

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self._position != self._end:
            raise DerError("there is something after the last expected element")


@lru_cache(maxsize=256)
def _dotted(body: bytes) -> str:
    # 64 bytes are far more than any registered identifier takes, and bound the arithmetic below.
    if not body or len(body) > 64 or body[-1] & 0x80:
        raise DerError("an object identifier is empty, too long or cut off")
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in body:
        if fresh and byte == 0x80:
            raise DerError("an object identifier is not written in its shortest form")
        arc = arc << 7 | (byte & 0x7F)
        fresh = not byte & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def read_generalized_time(body: bytes) -> datetime:
    """Turn the contents of a GeneralizedTime in whole seconds of UTC (``YYYYMMDDHHMMSSZ``) into a datetime.

    Raises :class:`DerError` for any other form, fractions of a second included.
    """
    if len(body) != 15 or body[14:] != b"Z" or not body[:14].isdigit():
        raise DerError("a time is not written as YYYYMMDDHHMMSSZ")
    try:
        return datetime(
            int(body[:4]),
            int(body[4:6]),
            int(body[6:8]),
            int(body[8:10]),
            int(body[10:12]),
            int(body[12:14]),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise DerError("a time does not exist in the calendar") from error
