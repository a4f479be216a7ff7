"""Taking a whole request body in, within a limit, before anything is done with it."""

from typing import Any

from gateway.faults import Fault, Place


def header(scope: Any, name: bytes) -> bytes | None:
    """The first value of a request header (``name`` in lower case), or None."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def read_body(scope: Any, receive: Any, limit: int, place: Place, *, too_large: str) -> bytes | None:
    """The body, or None when the request has none: an empty body (``Content-Length: 0``) is one.

    Raises Fault with the reason ``too_large`` for more than ``limit`` bytes, before reading when the head says so, and
    ``body-incomplete`` when the sender hangs up in the middle.
    """
    length = header(scope, b"content-length")
    if length is None and header(scope, b"transfer-encoding") is None:
        return None
    if length is not None and int(length) > limit:
        raise Fault(too_large, f"The body has {int(length)} bytes; the limit here is {limit}.", place)
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Fault("body-incomplete", "The connection was closed before the body was complete.", place)
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise Fault(too_large, f"The body has more than {limit} bytes, the limit here.", place)
        if chunk:
            chunks.append(chunk)
        if not event.get("more_body", False):
            return b"".join(chunks)
