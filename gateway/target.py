"""The path of a call: which service it names, and what of it goes on to the service.

Both gateways read it with this one function, so the access right and the forwarded address come from the same bytes.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from estamp.errors import IdentifierError
from estamp.identifiers import ServiceId, decode_piece
from gateway.faults import Fault, Place

PREFIX: Final = "/r1/"
_IDENTIFIER_PIECES = 5
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL_END = 0x20
_DELETE = 0x7F


@dataclass(frozen=True, slots=True)
class Target:
    """A call's target: the service, the raw rest of the path (``/…`` or empty) and the raw query (``?…`` or empty)."""

    service: ServiceId
    path: str
    query: str


def read_target(target: str, place: Place) -> Target:
    """Read ``/r1/I/C/M/S/service[/path][?query]``.

    Raises Fault: ``version-unsupported``, ``path-malformed``, ``identifier-malformed``, ``path-escapes``.
    """
    path, mark, query = target.partition("?")
    if not path.startswith(PREFIX):
        if len(path) > 3 and path.startswith("/r") and path[2].isdigit() and path[3] == "/":
            raise Fault("version-unsupported", f"Version {path[1:3]} of the protocol is not spoken here.", place)
        raise Fault("path-malformed", "The path does not begin with /r1/.", place)
    pieces = path.removeprefix(PREFIX).split("/")
    if len(pieces) < _IDENTIFIER_PIECES:
        raise Fault("path-malformed", "The path names no service: it has too few pieces.", place)
    try:
        service = ServiceId(*(decode_piece(piece) for piece in pieces[:_IDENTIFIER_PIECES]))
    except IdentifierError as error:
        raise Fault("identifier-malformed", error.message, place) from None
    rest = pieces[_IDENTIFIER_PIECES:]
    for piece in rest:
        _require_harmless(piece, place)
    return Target(service, "".join(f"/{piece}" for piece in rest), mark + query)


def _require_harmless(piece: str, place: Place) -> None:
    """Refuse a piece that a server further on may take for a step up, however it decodes it."""
    if piece.count("%") != len(_ENCODED.findall(piece)):
        raise Fault("path-escapes", "The path holds a % that no two hexadecimal digits follow.", place)
    decoded = unquote_to_bytes(piece)
    if b"\\" in decoded or any(byte < _CONTROL_END or byte == _DELETE for byte in decoded):
        raise Fault("path-escapes", "The path holds a backslash or a control character.", place)
    # An encoded slash and a path parameter (;) both have servers that split there before they look for dots.
    for part in decoded.replace(b";", b"/").split(b"/"):
        if part in (b".", b".."):
            raise Fault("path-escapes", "The path holds a piece that means . or ..", place)
