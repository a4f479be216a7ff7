"""What a message is inside its container: a head as X-Road's REST message part has it, and perhaps a body.

Heads are bytes whose text is read as Latin-1, the one encoding in which every header byte survives unchanged.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from estamp.container import Entry
from estamp.errors import HeadError

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
MAX_HEAD = 128 * 1024
"""Largest head accepted, in bytes."""

BODY_ENTRY = "body"
HEAD_MEDIA_TYPE = "text/plain"
DEFAULT_MEDIA_TYPE = "application/octet-stream"

SINGLE_VALUED = frozenset(
    {
        "x-road-client",
        "x-road-service",
        "x-road-id",
        "x-road-userid",
        "x-road-issue",
        "x-road-security-server",
        "x-road-represented-party",
        "x-road-request-id",
        "x-road-request-hash",
        "x-road-error",
    }
)
"""Headers (lower case) that may stand in a head at most once: which of two would count is not for readers to guess."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_REASON = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$^_.+\-]{0,63}/[A-Za-z0-9][A-Za-z0-9!#$^_.+\-]{0,63}")


class Direction(StrEnum):
    """Which way a message goes; it is told by the name of the head's entry, so neither can pass for the other."""

    REQUEST = "request"
    ANSWER = "answer"

    @property
    def head_entry(self) -> str:
        """Name of the entry that holds the head."""
        return f"{self}.http"


Headers = tuple[tuple[str, str], ...]
"""Names and values in their order, as they arrived."""


@dataclass(frozen=True, slots=True)
class _Head:
    headers: Headers

    def get(self, name: str) -> str | None:
        """The first value of a header, or None; ``name`` in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def _header_lines(self) -> str:
        return "".join(f"{name}:{value}\r\n" for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class RequestHead(_Head):
    """``METHOD CRLF path[?query] CRLF`` and ``Name:Value CRLF`` lines: no space after the colon, no HTTP version."""

    method: str
    target: str

    def encode(self) -> bytes:
        """The head's bytes, as they are signed; raises HeadError when they could not be read back."""
        encoded = f"{self.method}\r\n{self.target}\r\n{self._header_lines()}".encode("latin-1", "replace")
        if self.parse(encoded) != self:
            raise HeadError("head-malformed", "the request has a header or target that a head cannot carry")
        return encoded

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a head strictly; raises HeadError for any other form, and for a repeated single-valued header."""
        method, target, headers = _split(data)
        if method not in METHODS:
            raise HeadError("head-malformed", f"{method[:20]!r} is not a method that the protocol knows")
        if not _TARGET.fullmatch(target) or "#" in target:
            raise HeadError("head-malformed", "the request target is not a path with an optional query")
        return cls(headers, method, target)


@dataclass(frozen=True, slots=True)
class AnswerHead(_Head):
    """``status CRLF reason CRLF`` and ``Name:Value CRLF`` lines."""

    status: int
    reason: str

    def encode(self) -> bytes:
        """The head's bytes, as they are signed; raises HeadError when they could not be read back."""
        encoded = f"{self.status}\r\n{self.reason}\r\n{self._header_lines()}".encode("latin-1", "replace")
        if self.parse(encoded) != self:
            raise HeadError("head-malformed", "the answer has a header or reason that a head cannot carry")
        return encoded

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a head strictly; raises HeadError for any other form, and for a repeated single-valued header."""
        status, reason, headers = _split(data)
        if not re.fullmatch(r"[2-5][0-9]{2}", status) or not _REASON.fullmatch(reason):
            raise HeadError("head-malformed", f"{status[:20]!r} is not a final HTTP status")
        return cls(headers, int(status), reason)


def _split(data: bytes) -> tuple[str, str, Headers]:
    if len(data) > MAX_HEAD:
        raise HeadError("head-malformed", f"the head has {len(data)} bytes; at most {MAX_HEAD} are allowed")
    lines = data.decode("latin-1").split("\r\n")
    if len(lines) < 3 or lines.pop():
        raise HeadError("head-malformed", "the head does not consist of lines that end in CRLF")
    headers: list[tuple[str, str]] = []
    seen: set[str] = set()
    for line in lines[2:]:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or value.strip(" \t") != value:
            raise HeadError("head-malformed", "a header is not of the form Name:Value")
        lower = name.lower()
        if lower in SINGLE_VALUED:
            if lower in seen:
                raise HeadError("head-header-repeated", f"the header {name} stands in the head twice")
            seen.add(lower)
        headers.append((name, value))
    return lines[0], lines[1], tuple(headers)


def bare_media_type(content_type: str | None) -> str:
    """The ``type/subtype`` of a Content-Type for the manifest, else ``application/octet-stream``.

    Other verifiers refuse parameters and wildcards there; the exact Content-Type stands in the signed head.
    """
    bare = (content_type or "").partition(";")[0].strip(" \t")
    return bare.lower() if _MEDIA_TYPE.fullmatch(bare) else DEFAULT_MEDIA_TYPE


def is_bare_media_type(text: str) -> bool:
    """Whether ``text`` is one that :func:`bare_media_type` could have made."""
    return bool(_MEDIA_TYPE.fullmatch(text)) and text == text.lower()


def entries(direction: Direction, head: bytes, body: bytes | None, content_type: str | None) -> list[Entry]:
    """The signed entries of a message: its head and, unless it is None, its body (an empty one is one)."""
    result = [Entry(direction.head_entry, HEAD_MEDIA_TYPE, head)]
    if body is not None:
        result.append(Entry(BODY_ENTRY, bare_media_type(content_type), body))
    return result


def request_hash(head: bytes, body: bytes | None) -> str:
    """X-Road's hash of a request: base64(SHA-512(SHA-512(head) ‖ SHA-512(body))), or base64(SHA-512(head))."""
    digest = hashlib.sha512(head).digest()
    if body is not None:
        digest = hashlib.sha512(digest + hashlib.sha512(body).digest()).digest()
    return base64.b64encode(digest).decode()


def header_values(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """All values of a header, in their order; ``name`` in any case."""
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]
