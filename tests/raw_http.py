"""HTTP/1.1 as bytes: requests that no library would send, answers before any library has tidied them."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came: status, header fields in their order, and what followed the head (framing taken off)."""

    status: int
    headers: Pairs
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a header in their order; `name` in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def value(self, name: str) -> str:
        """The value of a header that must stand there exactly once."""
        (value,) = self.values(name)
        return value


def exchange(url: str, request: bytes, *, seconds: float = 30.0) -> RawAnswer:
    """Send these bytes to the host of `url` and read the answer until the connection closes.

    The request must ask for that with ``Connection: close``.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=seconds) as connection:
        connection.sendall(request)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return read_answer(data)


def read_answer(data: bytes) -> RawAnswer:
    """Read one whole answer; interim ones (1xx) before it are left out."""
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    if status < 200:
        return read_answer(rest)
    headers = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines[1:])]
    chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    return RawAnswer(status, headers, _joined(rest) if chunked else rest)


def request_bytes(method: str, target: str, headers: Pairs, body: bytes | None = None) -> bytes:
    """A request with exactly these header fields after Host and Connection, and its body's length if it has one."""
    fields = [("Host", "gateway.test"), ("Connection", "close"), *headers]
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


def _joined(chunks: bytes) -> bytes:
    pieces = []
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(chunks[:length])
        chunks = chunks[length + 2 :]
    return b"".join(pieces)
