"""A member's service that records each request byte for byte and answers with exactly the bytes it was told to.

It reads the socket itself: an HTTP library would already have changed what the tests want to see.
"""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Pairs = list[tuple[str, str]]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nseen"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `line` is the request line without its CRLF."""

    line: bytes
    headers: Pairs
    body: bytes

    @property
    def target(self) -> str:
        """The request target of the request line."""
        return self.line.split(b" ")[1].decode("latin-1")

    def values(self, name: str) -> list[str]:
        """All values of a header in their order; `name` in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class EchoService:
    """The service while it runs, on a port of its own on loopback."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer = OK
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def last(self) -> Seen:
        """The newest request."""
        return self.seen[-1]

    @contextmanager
    def answering(self, answer: bytes) -> Iterator[None]:
        """While the block runs, these bytes are the answer to whatever is asked."""
        self.answer = answer
        try:
            yield
        finally:
            self.answer = OK

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # Kept connections end when the gateway closes them; nobody waits for that.
    block_on_close = False
    service: EchoService


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    connection: socket.socket

    def handle(self) -> None:
        """Serve one connection, request after request, until the other side closes it."""
        while line := self.rfile.readline().removesuffix(b"\r\n"):
            headers = list(self._headers())
            seen = Seen(line, headers, self._body({name.lower(): value for name, value in headers}))
            answer = self.server.service.answer
            self.server.service.seen.append(seen)
            head, end, body = answer.partition(b"\r\n\r\n")
            self.wfile.write(head + end + (b"" if line.startswith(b"HEAD ") else body))
            if not re.search(rb"\r\n(content-length|transfer-encoding):", head, re.IGNORECASE) and b" 204 " not in head:
                return

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self.rfile.readline().removesuffix(b"\r\n").decode("latin-1"):
            name, _, value = line.partition(":")
            yield name, value.strip(" \t")

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(headers.get("content-length", "0")))


@contextmanager
def echo_service() -> Iterator[EchoService]:
    """A running service; it is stopped when the block ends."""
    service = EchoService()
    service.start()
    try:
        yield service
    finally:
        service.stop()
