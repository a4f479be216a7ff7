"""The responder's HTTP side: POST of a request, or GET with the request in the path (RFC 6960, appendix A)."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

from prometheus_client import Counter

from ocsp.answers import MALFORMED_REQUEST, Answer, Responder
from ocsp.errors import MalformedRequestError
from ocsp.requests import request_in_path

REQUEST_TYPE: Final = b"application/ocsp-request"
RESPONSE_TYPE: Final = b"application/ocsp-response"

ANSWERS = Counter("xacbe_ocsp_answers", "Status answers, by what they say", ["outcome"])

Headers = list[tuple[bytes, bytes]]


class OcspApplication:
    """ASGI application of the responder. Raw ASGI: there are two routes, and every answer is a few hundred bytes."""

    def __init__(
        self,
        responder: Responder,
        *,
        max_request_bytes: int,
        body_timeout_seconds: float,
        cache_seconds: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`cache_seconds` is how long a cache may give out an answer to a GET."""
        self._responder = responder
        self._max_request_bytes = max_request_bytes
        self._body_timeout_seconds = body_timeout_seconds
        self._cache_seconds = cache_seconds
        self._clock = clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await self._get(scope, send)
        elif scope["method"] != "POST":
            await _refuse(
                send, 405, b"Send a status request by POST, or by GET in the path.", [(b"allow", b"GET, POST")]
            )
        elif scope["path"] != "/":
            await _refuse(send, 404, b"Status requests are posted to /.")
        elif not _has_request_type(scope):
            await _refuse(send, 415, b"A status request has the Content-Type application/ocsp-request.")
        else:
            await self._post(receive, send)

    async def _get(self, scope: Any, send: Any) -> None:
        now = self._clock()
        try:
            der = request_in_path(scope["raw_path"])
        except MalformedRequestError:
            answer = MALFORMED_REQUEST
        else:
            answer = self._responder.answer(der, now)
        await _send_answer(send, answer, self._caching(answer, now))

    async def _post(self, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                body = await self._read_body(receive)
        except TimeoutError:
            await _refuse(send, 408, b"The request's body did not arrive in time.", [(b"connection", b"close")])
            return
        except _BodyTooLargeError:
            await _refuse(send, 413, b"No status request is that large.", [(b"connection", b"close")])
            return
        if body is not None:
            await _send_answer(send, self._responder.answer(body, self._clock()), [(b"cache-control", b"no-store")])

    async def _read_body(self, receive: Any) -> bytes | None:
        """The whole body; None when the client went away."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_request_bytes:
                raise _BodyTooLargeError
            if not message.get("more_body", False):
                return bytes(body)

    def _caching(self, answer: Answer, now: datetime) -> Headers:
        # RFC 5019 (6.2) would let caches keep an answer until nextUpdate. A revocation has to show within seconds, so
        # they may keep it about as long as the responder itself takes to learn of one.
        if answer.this_update is None or answer.next_update is None:
            return [(b"cache-control", b"no-store")]
        return [
            (b"cache-control", b"max-age=%d, public, no-transform, must-revalidate" % self._cache_seconds),
            (b"last-modified", _http_date(answer.this_update)),
            (b"expires", _http_date(min(now.replace(microsecond=0), answer.next_update))),
            (b"etag", b'"%b"' % hashlib.sha256(answer.der).hexdigest().encode()),
        ]


class _BodyTooLargeError(Exception):
    """The body is larger than any status request."""


def _has_request_type(scope: Any) -> bool:
    stated = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(stated) == 1 and stated[0].split(b";")[0].strip().lower() == REQUEST_TYPE


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()


async def _send_answer(send: Any, answer: Answer, headers: Headers) -> None:
    ANSWERS.labels(answer.outcome).inc()
    await _send(send, 200, RESPONSE_TYPE, answer.der, headers)


async def _refuse(send: Any, status: int, text: bytes, headers: Headers | None = None) -> None:
    await _send(send, status, b"text/plain; charset=utf-8", text + b"\n", headers or [])


async def _send(send: Any, status: int, content_type: bytes, body: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(body)).encode())
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", content_type), length, *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
