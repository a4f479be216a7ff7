"""``/asic`` and ``/verificationconf``: the evidence of an information system's own calls, and what verifies it.

The query parameters and plain-text errors are X-Road's.
"""

import asyncio
import io
import zipfile
from typing import Any, Final
from urllib.parse import parse_qs

from estamp.container import MEDIA_TYPE
from estamp.errors import IdentifierError
from estamp.identifiers import ClientId
from gateway.asgi_answers import send_answer
from gateway.errors import QueryLogError
from gateway.faults import Fault
from gateway.log_entries import Direction, Side, StoredEntry
from gateway.parts import Parts
from gateway.way.s1_accept import require_may_speak_for

_BAD, _UNAUTHORISED, _NOT_FOUND, _UNAVAILABLE, _METHOD = 400, 401, 404, 503, 405
_MOST: Final = 20
# Containers of a whole answer are in memory together, so only few answers are made at the same time.
_AT_ONCE: Final = asyncio.Semaphore(2)


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def send_evidence(scope: Any, send: Any, parts: Parts, *, certificate_required: bool) -> None:
    """Answer ``GET /asic``: a ZIP of the containers of a message id, or with ``unique`` the one container."""
    try:
        _require_enabled(scope, parts)
        async with _AT_ONCE:
            content_type, name, body = await _evidence(scope, parts, certificate_required=certificate_required)
    except _RefusedError as refused:
        await _send_text(send, refused.status, refused.text)
        return
    headers = (("Content-Type", content_type), ("Content-Disposition", f'attachment; filename="{name}"'))
    await send_answer(send, 200, headers, body)


async def send_verification_configuration(scope: Any, send: Any, parts: Parts, *, certificate_required: bool) -> None:
    """Answer ``GET /verificationconf``: a ZIP of the trust anchor and the newest catalogue."""
    del certificate_required  # Both are public within the instance.
    try:
        _require_enabled(scope, parts)
    except _RefusedError as refused:
        await _send_text(send, refused.status, refused.text)
        return
    files = {"anchor.json": parts.anchor.dump()}
    if parts.catalogue.container:
        files["catalogue.asice"] = parts.catalogue.container
    headers = (
        ("Content-Type", "application/zip"),
        ("Content-Disposition", 'attachment; filename="verificationconf.zip"'),
    )
    await send_answer(send, 200, headers, _zip(files))


def _require_enabled(scope: Any, parts: Parts) -> None:
    if not parts.settings.evidence_download:
        raise _RefusedError(_NOT_FOUND, "not found: the evidence download is switched off (setting evidence_download)")
    if scope["method"] not in ("GET", "HEAD"):
        raise _RefusedError(_METHOD, "use GET")


async def _evidence(scope: Any, parts: Parts, *, certificate_required: bool) -> tuple[str, str, bytes]:
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    client = _client(query)
    try:
        require_may_speak_for(scope, client, parts.configuration(), certificate_required=certificate_required)
    except Fault as fault:
        raise _RefusedError(_UNAUTHORISED, fault.message) from None
    _require_hosted(client, parts)
    message_id = _one(query, "queryId")
    direction = _direction(query)
    if "unique" in query and direction is None:
        raise _RefusedError(_BAD, "unique needs requestOnly or responseOnly")
    try:
        found = await asyncio.to_thread(
            parts.log.find,
            client=str(client),
            message_id=message_id,
            request_id=next(iter(query.get("requestId", [])), None),
            side=Side.CONSUMER,
            direction=direction,
            limit=_MOST + 1,
        )
    except QueryLogError:
        raise _RefusedError(_UNAVAILABLE, "the query log cannot be read at present") from None
    if not found:
        raise _RefusedError(_NOT_FOUND, "not found")
    if len(found) > _MOST:
        raise _RefusedError(_BAD, f"more than {_MOST} messages have this id; add requestId to name one call")
    if "unique" in query:
        if len(found) > 1:
            raise _RefusedError(_BAD, f"{len(found)} messages have this id; leave unique out")
        return MEDIA_TYPE, _name(found[0]), found[0].entry.container
    files: dict[str, bytes] = {}
    for each in found:
        name = _name(each)
        files[name if name not in files else name.replace(".asice", f"-{each.id}.asice")] = each.entry.container
    return "application/zip", f"{_harmless(message_id)}.zip", await asyncio.to_thread(_zip, files)


def _require_hosted(client: ClientId, parts: Parts) -> None:
    """On loopback too, only calls that this gateway made for its own clients are theirs to download."""
    newest = parts.catalogue.newest
    this = newest.server(parts.identity.server) if newest else None
    if this is None or str(client) not in this.clients:
        raise _RefusedError(_UNAUTHORISED, f"{client} is not registered on this gateway")


def _client(query: dict[str, list[str]]) -> ClientId:
    pieces = [_one(query, name) for name in ("xRoadInstance", "memberClass", "memberCode")]
    subsystem = _one(query, "subsystemCode") if "subsystemCode" in query else None
    client = ClientId(pieces[0], pieces[1], pieces[2], subsystem)
    try:
        return ClientId.parse(str(client))
    except IdentifierError as error:
        raise _RefusedError(_BAD, error.message) from None


def _one(query: dict[str, list[str]], name: str) -> str:
    values = query.get(name, [])
    if len(values) != 1 or not values[0]:
        raise _RefusedError(_BAD, f"the parameter {name} is needed once")
    return values[0]


def _direction(query: dict[str, list[str]]) -> Direction | None:
    if "requestOnly" in query and "responseOnly" in query:
        raise _RefusedError(_BAD, "requestOnly and responseOnly exclude each other")
    if "requestOnly" in query:
        return Direction.REQUEST
    return Direction.ANSWER if "responseOnly" in query else None


def _name(stored: StoredEntry) -> str:
    entry = stored.entry
    kind = "request" if entry.direction is Direction.REQUEST else "response"
    return f"{_harmless(entry.message_id)}-{kind}-{entry.at:%Y%m%dT%H%M%SZ}.asice"


def _harmless(text: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in text)[:100]


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


async def _send_text(send: Any, status: int, text: str) -> None:
    await send_answer(send, status, (("Content-Type", "text/plain; charset=utf-8"),), text.encode())
