"""Names of the parties: members, subsystems, services and security servers, as X-Road writes them.

An identifier's text form is its pieces, each percent-encoded UTF-8 on its own, joined by ``/``. The order of
pieces is instance, member class, member code, then what narrows it down.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from estamp.errors import IdentifierError

MAX_PIECE = 255
"""Longest piece accepted, in characters after decoding."""

_STRICT = re.compile(r"[A-Za-z0-9'()+,\-.=?]+")
_UNRESERVED = "'()+,-.=_~!*"
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def is_strict(piece: str) -> bool:
    """Whether ``piece`` uses only the characters that a registry admits in new identifiers.

    These are X-Road's strict set: ``A-Za-z0-9'()+,-.=?``. A piece of dots alone is a path step and never strict.
    """
    return bool(_STRICT.fullmatch(piece)) and piece not in (".", "..") and len(piece) <= MAX_PIECE


def decode_piece(text: str) -> str:
    """Percent-decode one piece of an identifier or of a path.

    Raises IdentifierError for a stray ``%``, bytes that are not UTF-8, an empty piece, ``.`` and ``..``,
    control characters, backslashes, and more than MAX_PIECE characters.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if raw.count(b"%") != len(_PERCENT.findall(raw)):
        raise IdentifierError("identifier-malformed", f"{text!r} holds a % that no two hexadecimal digits follow")
    try:
        piece = _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), raw).decode("utf-8")
    except UnicodeDecodeError:
        raise IdentifierError("identifier-malformed", f"{text!r} does not decode to UTF-8") from None
    if not piece or len(piece) > MAX_PIECE:
        raise IdentifierError("identifier-malformed", f"a piece of an identifier has 1 to {MAX_PIECE} characters")
    if piece in (".", ".."):
        raise IdentifierError("identifier-malformed", "a piece of an identifier is never . or ..")
    if "\\" in piece or any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in piece):
        raise IdentifierError("identifier-malformed", f"{text!r} holds a control character or a backslash")
    return piece


def encode_piece(piece: str) -> str:
    """Percent-encode one piece so that :func:`decode_piece` gives it back; one text for each piece."""
    return quote(piece, safe=_UNRESERVED)


def _pieces(text: str, least: int, most: int, form: str) -> list[str]:
    parts = text.split("/")
    if not least <= len(parts) <= most:
        raise IdentifierError("identifier-malformed", f"{text!r} is not of the form {form}")
    return [decode_piece(part) for part in parts]


def _text(*pieces: str | None) -> str:
    return "/".join(encode_piece(piece) for piece in pieces if piece is not None)


@dataclass(frozen=True, order=True, slots=True)
class MemberId:
    """A member institution: ``instance/class/code``."""

    instance: str
    member_class: str
    member_code: str

    def __str__(self) -> str:
        """The text form, one for each identifier."""
        return _text(self.instance, self.member_class, self.member_code)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises IdentifierError."""
        return cls(*_pieces(text, 3, 3, "instance/class/member"))


@dataclass(frozen=True, slots=True)
class ClientId:
    """Who asks or offers: a subsystem of a member, or (asking only) the member itself.

    ``instance/class/member[/subsystem]``, the value of ``X-Road-Client``.
    """

    instance: str
    member_class: str
    member_code: str
    subsystem_code: str | None = None

    def __str__(self) -> str:
        """The text form, one for each identifier."""
        return _text(self.instance, self.member_class, self.member_code, self.subsystem_code)

    @property
    def member(self) -> MemberId:
        """The member that this client belongs to."""
        return MemberId(self.instance, self.member_class, self.member_code)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises IdentifierError."""
        return cls(*_pieces(text, 3, 4, "instance/class/member[/subsystem]"))


@dataclass(frozen=True, order=True, slots=True)
class ServiceId:
    """A service of a subsystem: ``instance/class/member/subsystem/service``, the value of ``X-Road-Service``."""

    instance: str
    member_class: str
    member_code: str
    subsystem_code: str
    service_code: str

    def __str__(self) -> str:
        """The text form, one for each identifier."""
        return _text(self.instance, self.member_class, self.member_code, self.subsystem_code, self.service_code)

    @property
    def provider(self) -> ClientId:
        """The subsystem that offers the service."""
        return ClientId(self.instance, self.member_class, self.member_code, self.subsystem_code)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises IdentifierError."""
        return cls(*_pieces(text, 5, 5, "instance/class/member/subsystem/service"))


@dataclass(frozen=True, order=True, slots=True)
class ServerId:
    """A security server (gateway): ``instance/class/owner/server``, the value of ``X-Road-Security-Server``."""

    instance: str
    member_class: str
    member_code: str
    server_code: str

    def __str__(self) -> str:
        """The text form, one for each identifier."""
        return _text(self.instance, self.member_class, self.member_code, self.server_code)

    @property
    def owner(self) -> MemberId:
        """The member that runs the server."""
        return MemberId(self.instance, self.member_class, self.member_code)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form; raises IdentifierError."""
        return cls(*_pieces(text, 4, 4, "instance/class/owner/server"))
