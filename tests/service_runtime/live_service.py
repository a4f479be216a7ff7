"""A live service in a thread, and raw sockets to talk to it."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from service_runtime.serving import Listener, run, serve


class Running:
    """`serve` in a thread of its own; attributes are set when everything listens."""

    def __init__(self, listeners: list[Listener], options: dict[str, Any]) -> None:
        self._listeners = listeners
        self._options = options
        self._ready = threading.Event()
        self.error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self.stopping: asyncio.Event
        self.thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Start the thread and wait until it listens; raises what stopped it."""
        self.thread.start()
        self._ready.wait(10)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Ask it to drain."""
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stopping.set)

    def call(self, function: Callable[[], Any]) -> Any:
        """The result of `function`, called in the event loop's thread."""

        async def calling() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(calling(), self.loop).result(5)

    def _run(self) -> None:
        async def main() -> None:
            self.loop = asyncio.get_running_loop()
            self.stopping = asyncio.Event()
            await serve(self._listeners, ready=self._ready.set, stop=self.stopping, **self._options)

        try:
            run(main())
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()


def connect(listener: Listener, context: ssl.SSLContext | None = None, timeout: float = 5.0) -> socket.socket:
    """A plain or TLS connection to `listener`."""
    plain = socket.create_connection(listener.address, timeout=timeout)
    return plain if context is None else context.wrap_socket(plain, server_hostname="127.0.0.1")


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side ends the connection."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (ConnectionResetError, ssl.SSLError):
        pass
    return received


def read_answer(connection: socket.socket) -> tuple[int, dict[bytes, bytes], bytes]:
    """One answer with a content-length: status, header fields (names in lower case), body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, f"the connection ended within the head of an answer: {received!r}"
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    while len(body) < int(fields[b"content-length"]):
        piece = connection.recv(65536)
        assert piece, "the connection ended within the body of an answer"
        body += piece
    return int(status_line.split()[1]), fields, body
