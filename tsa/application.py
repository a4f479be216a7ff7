"""The authority over HTTP (RFC 3161 section 3.4): POST a query, get a reply.

Whatever the authority itself decides travels with status 200, refusals too. Other statuses say that no query arrived:
404, 405, 413 and 415, each with a line of plain text.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from tsa.authority import Authority

QUERY_TYPE = b"application/timestamp-query"
"""The media type of a request."""
REPLY_TYPE = b"application/timestamp-reply"
"""The media type of an answer."""

_TEXT_TYPE = b"text/plain; charset=utf-8"

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TimestampApplication:
    """The ASGI application. ``on_outcome`` is called once for each request with what became of it, in one word.

    Plain ASGI without routes: there is one address, and it stands on the way of every stamped message.
    """

    def __init__(self, authority: Authority, *, max_request_bytes: int, on_outcome: Callable[[str], None]) -> None:
        self._authority = authority
        self._max_request_bytes = max_request_bytes
        self._on_outcome = on_outcome

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"this application answers HTTP only, not {scope['type']}")
        headers = dict(scope["headers"])
        if scope["path"] != "/":
            await self._reject(send, 404, "Time-stamp queries go to the path /.", "not-found")
        elif scope["method"] != "POST":
            allow = (b"allow", b"POST")
            await self._reject(send, 405, "Send a time-stamp query with POST (RFC 3161, 3.4).", "wrong-method", allow)
        elif headers.get(b"content-type", b"").split(b";")[0].strip().lower() != QUERY_TYPE:
            text = f"The Content-Type of a time-stamp query is {QUERY_TYPE.decode()}."
            await self._reject(send, 415, text, "wrong-content-type")
        else:
            await self._answer(headers, receive, send)

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        announced = headers.get(b"content-length", b"0")
        body = b""
        too_large = announced.isdigit() and int(announced[:20]) > self._max_request_bytes
        more = not too_large
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            too_large = len(body) > self._max_request_bytes
            more = bool(message.get("more_body")) and not too_large
        if too_large:
            text = f"A time-stamp query has at most {self._max_request_bytes} bytes."
            # The rest of the body is not read, so the connection cannot carry another request.
            await self._reject(send, 413, text, "too-large", (b"connection", b"close"))
            return
        answer = self._authority.answer(body)
        self._on_outcome(answer.outcome)
        await _send(send, 200, REPLY_TYPE, answer.encoded)

    async def _reject(self, send: Send, status: int, text: str, outcome: str, *fields: tuple[bytes, bytes]) -> None:
        self._on_outcome(outcome)
        await _send(send, status, _TEXT_TYPE, text.encode() + b"\n", *fields)


async def _send(send: Send, status: int, media_type: bytes, body: bytes, *fields: tuple[bytes, bytes]) -> None:
    head = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *fields]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
