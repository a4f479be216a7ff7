"""One HTTP/1.1 connection of a listener: uvicorn's protocol, with what the open internet and mTLS ask for.

Added to `uvicorn.protocols.http.httptools_impl.HttpToolsProtocol`:

- the TLS peer's certificate, the connection itself and the exact request target in the ASGI scope (`PEER_CERTIFICATE`,
  `CONNECTION`, `REQUEST_TARGET` in ``scope["extensions"]``);
- limits: size and duration of a request's head, stalls of a body or of an answer;
- trailing header fields and protocol upgrades never reach the application.
"""

import ssl
from dataclasses import dataclass
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

PEER_CERTIFICATE = "xacbe.peer_certificate"
"""Scope extension: the TLS peer's certificate as DER bytes, or None (no TLS, or no certificate shown)."""

CONNECTION = "xacbe.connection"
"""Scope extension: the `Connection` that the request came on."""

REQUEST_TARGET = "xacbe.request_target"
"""Scope extension: the request target exactly as sent (bytes), with its query and even a lone question mark."""

# Clients that ask for an upgrade do so once. Each such head is parsed twice, and everything behind it is copied.
_MOST_UPGRADES = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener grants one connection. Sizes in bytes, times in seconds."""

    max_head_bytes: int = 64 * 1024
    """The longest request line with header fields; also the longest run of framing without any body in it."""
    head_timeout_seconds: float = 30.0
    """How long a request's head may take, counted from the connection's start or the head's first byte."""
    stall_seconds: float = 60.0
    """How long a body, or the peer's taking of an answer, may stand still."""


class Connection:
    """A handle on one open connection, for whoever must end it, such as a gateway whose peer was suspended."""

    def __init__(self, protocol: "MemberProtocol") -> None:
        self._protocol = protocol

    @property
    def peer_certificate(self) -> bytes | None:
        """The TLS peer's certificate as DER bytes, or None."""
        return self._protocol.peer_certificate

    def close(self, *, finish_answer: bool = False) -> None:
        """End the connection: at once, or with `finish_answer` after the answer that is being made.

        Ended at once, an application that is reading or answering a request gets ``http.disconnect``. Call it in the
        event loop's thread; further calls do nothing.
        """
        self._protocol.end(finish_answer=finish_answer)


class MemberProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with peer certificates and limits; made by `service_runtime.serving`."""

    peer_certificate: bytes | None = None

    def __init__(self, config: uvicorn.Config, server_state: ServerState, limits: Limits) -> None:
        super().__init__(config, server_state, app_state={})
        self.limits = limits

    def connection_made(self, transport: Any) -> None:
        """Take over a new connection, its TLS handshake done."""
        super().connection_made(transport)
        tls = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
        self.peer_certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._handle = Connection(self)
        self._head_open = False
        self._body_open = False
        self._head_size = 0
        # Bytes received since the last piece of a body: an unfinished head, chunk framing, trailing fields.
        self._framing_size = 0
        self._refusal: tuple[int, str] | None = None
        self._upgrade_ignored = False
        self._unsent = 0
        self._deadline: float | None = self.loop.time() + self.limits.head_timeout_seconds

    # Reading requests

    def data_received(self, data: bytes) -> None:
        """Take in the next bytes of the connection."""
        self._unset_keepalive_if_required()
        head_was_open = self._head_open
        self._framing_size += len(data)
        try:
            self._feed(data)
            if self._framing_size > self.limits.max_head_bytes:
                self._refuse_long_head()
        except httptools.HttpParserError:
            status, text = self._refusal or (400, "This is not a valid HTTP/1.1 request.")
            self.refuse(status, text)
            return
        self._set_deadline(head_was_open)

    def _feed(self, data: bytes) -> None:
        for _ in range(_MOST_UPGRADES):
            data = self._feed_until_upgrade(data)
            if not data:
                return
        raise httptools.HttpParserError("too many requests that ask for an upgrade came at once")

    def _feed_until_upgrade(self, data: bytes) -> bytes:
        """Parse up to a head that asks for an upgrade; what is to be parsed instead of it and after it."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            # The parser stops after a head that asks for an upgrade and drops the body. No upgrade is offered, so the
            # request counts as if it had not asked (RFC 9110, 7.8): some clients ask on every plain connection.
            rest = data[pause.args[0] :]
            version = self.parser.get_http_version().encode()
            head = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
            head += b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] != b"upgrade")
            self.parser = httptools.HttpRequestParser(self)
            # As uvicorn does: bytes after a request that closes the connection are not an error in that request.
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._upgrade_ignored = False
            return head + b"\r\n" + rest
        return b""

    def _set_deadline(self, head_was_open: bool) -> None:
        if self._head_open:
            if not head_was_open:
                self._deadline = self.loop.time() + self.limits.head_timeout_seconds
        elif self._body_open:
            self._deadline = self.loop.time() + self.limits.stall_seconds
        elif self._is_answering():
            self._deadline = None
        elif self._deadline is None:
            # Bytes that begin no request (blank lines) have ended the keep-alive wait; they must not hold it for ever.
            self._deadline = self.loop.time() + self.limits.head_timeout_seconds

    def on_message_begin(self) -> None:
        """A request's first byte has come (called by the parser)."""
        super().on_message_begin()
        self._head_open = True
        self._head_size = 0
        scope = cast("dict[str, Any]", self.scope)
        scope["extensions"] = {PEER_CERTIFICATE: self.peer_certificate, CONNECTION: self._handle}

    def on_url(self, url: bytes) -> None:
        """A piece of the request target (called by the parser)."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field, or one trailing field after a chunked body (called by the parser)."""
        self._count_head(len(name) + len(value) + 4)
        if self._head_open:
            # Trailing fields would join the header list after the application had judged it (RFC 9110, 6.5.1).
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: start the application, unless the head is to be read again (see `_feed`)."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refusal = (405, "This server is no proxy: CONNECT is not offered.")
                raise ValueError("CONNECT")
            self._upgrade_ignored = True
            return
        self._head_open = False
        self._body_open = True
        self._framing_size = 0
        cast("dict[str, Any]", self.scope)["extensions"][REQUEST_TARGET] = self.url
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body (called by the parser)."""
        self._framing_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole (called by the parser)."""
        if self._upgrade_ignored:
            return
        self._body_open = False
        self._framing_size = 0
        super().on_message_complete()

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self.limits.max_head_bytes:
            self._refuse_long_head()

    def _refuse_long_head(self) -> None:
        limit = self.limits.max_head_bytes
        self._refusal = (431, f"The request's head is longer than {limit} bytes.")
        raise httptools.HttpParserError("head too long")

    # Ending

    def refuse(self, status: int, text: str) -> None:
        """Answer `status` with a line of plain text and end the connection.

        Where an earlier request's answer is due, or this one's has begun, the connection just ends: the refusal could
        be taken for that answer or for a part of it.
        """
        self._deadline = None
        if self._is_answering() and (self._head_open or self.pipeline or self.cycle.response_started):
            self.transport.abort()
            return
        if self._is_answering():
            # The application must not write an answer of its own after this one.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = text.encode() + b"\n"
        lines = [STATUS_LINE[status]]
        lines += [b"%s: %s\r\n" % field for field in self.server_state.default_headers]
        lines.append(b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body))
        lines.append(b"connection: close\r\n\r\n")
        self.transport.write(b"".join(lines) + body)
        self.transport.close()

    def end(self, *, finish_answer: bool) -> None:
        """End the connection, with `finish_answer` only after the answer that is being made."""
        if not finish_answer:
            self.transport.abort()
        else:
            self.shutdown()

    def end_if_overdue(self, now: float) -> None:
        """End the connection if its peer has been too slow; `now` is the loop's time. Called about twice a second."""
        if self.transport.is_closing():
            return
        unsent = self.transport.get_write_buffer_size()
        if self.flow.write_paused:
            # The answer is stuck at the peer: judge by whether it has taken anything since the last look.
            if unsent != self._unsent or self._deadline is None:
                self._deadline = now + self.limits.stall_seconds
            elif now > self._deadline:
                self.transport.abort()
            self._unsent = unsent
            return
        self._unsent = unsent
        if self._deadline is None:
            return
        idle = self.timeout_keep_alive_task is not None
        if not self._body_open and not self._head_open and (idle or self._is_answering()):
            self._deadline = None
        elif self._body_open and (self.flow.read_paused or self._awaits_continue()):
            # The application is slow, not the peer.
            self._deadline = now + self.limits.stall_seconds
        elif now > self._deadline:
            self._end_overdue()

    def _end_overdue(self) -> None:
        if self._head_open:
            self.refuse(408, f"The request's head took longer than {self.limits.head_timeout_seconds:g} seconds.")
        elif self._body_open:
            self.refuse(408, f"The request's body stood still for {self.limits.stall_seconds:g} seconds.")
        else:
            self.transport.close()

    def is_busy(self) -> bool:
        """Whether an answer is being made or has not yet left for the peer."""
        return self._is_answering() or self.transport.get_write_buffer_size() > 0

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and (bool(self.pipeline) or not cycle.response_complete)

    def _awaits_continue(self) -> bool:
        return self._is_answering() and bool(self.cycle.waiting_for_100_continue)
