"""Writing answers and faults out over ASGI."""

from email.utils import formatdate
from typing import Any

from estamp.message import Headers
from gateway.faults import ERROR_HEADER, Fault
from gateway.headers import to_raw


async def send_answer(send: Any, status: int, headers: Headers, body: bytes | None) -> None:
    """Send an answer; without a body none is announced either. A service's own Date stays, else ours is set."""
    raw = to_raw(headers)
    if not any(name.lower() == b"date" for name, _ in raw):
        raw.append((b"date", formatdate(usegmt=True).encode()))
    if body is not None:
        raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body or b""})


async def send_fault(scope: Any, send: Any, fault: Fault, *, to_peer: bool = False) -> None:
    """Tell a fault: to an information system as X-Road does (JSON, or XML if it asks for that); to a peer as JSON."""
    accept = [value.decode("latin-1") for name, value in scope["headers"] if name == b"accept" and not to_peer]
    content_type, body = fault.told(accept)
    await send_answer(send, fault.status, (("Content-Type", content_type), (ERROR_HEADER, fault.type)), body)
