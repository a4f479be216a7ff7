"""A server that answers as it is told and remembers what it was sent: for what no real gateway can be made to do.

The SDK against real gateways is tested in tests/end_to_end.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class GatewayOnASocket:
    """Gives the next of `answers` (raw HTTP) to each request; `requests` are the raw bytes that came in."""

    url: str
    answers: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    def will_answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        """Queue an answer."""
        lines = [
            f"HTTP/1.1 {status} X",
            *(f"{name}: {value}" for name, value in headers),
            f"Content-Length: {len(body)}",
        ]
        self.answers.append("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    @property
    def request_line(self) -> str:
        """The last request's first line."""
        return self.requests[-1].split(b"\r\n", 1)[0].decode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The last request's headers, in their order."""
        lines = self.requests[-1].split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]

    def header(self, name: str) -> str | None:
        """One header of the last request."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def body(self) -> bytes:
        """The last request's body."""
        return self.requests[-1].split(b"\r\n\r\n", 1)[1]


def _serve(listener: socket.socket, gateway: GatewayOnASocket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length:
                body += connection.recv(65536)
            gateway.requests.append(head + b"\r\n\r\n" + body)
            if gateway.answers:
                connection.sendall(gateway.answers.pop(0))


@contextmanager
def gateway_on_a_socket() -> Iterator[GatewayOnASocket]:
    """Run one on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = GatewayOnASocket(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_serve, args=(listener, gateway), daemon=True)
        thread.start()
        yield gateway
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
