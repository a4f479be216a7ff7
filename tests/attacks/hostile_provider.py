"""A registered gateway that answers as a test likes: a TLS server at the address that the catalogue names."""

import io
import socket
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from estamp.container import MEDIA_TYPE
from estamp.message import BODY_ENTRY, AnswerHead, Direction, Headers, RequestHead, entries, request_hash
from tests.attacks.hostile_consumer import now
from tests.attacks.instance_keys import InstanceKeys
from tests.breaking import Stamped, entry_of
from tests.pki import Credential

Answerer = Callable[["Asked"], bytes]
"""From what was asked to the bytes that are sent back, HTTP head and all."""


@dataclass(frozen=True)
class Asked:
    """A request that the hostile provider got: its container and what it can stamp with."""

    container: bytes
    keys: InstanceKeys
    signing: Credential

    @property
    def head_bytes(self) -> bytes:
        """The request's head."""
        return entry_of(self.container, Direction.REQUEST.head_entry)

    @property
    def body(self) -> bytes | None:
        """The request's body."""
        with zipfile.ZipFile(io.BytesIO(self.container)) as archive:
            return archive.read(BODY_ENTRY) if BODY_ENTRY in archive.namelist() else None

    def headers(self, **changes: str | None) -> Headers:
        """The headers of a true answer; `X_Road_Id=...` replaces or adds one, None takes it away."""
        asked = RequestHead.parse(self.head_bytes)
        usual: dict[str, str | None] = {
            "Content-Type": "application/json",
            "X-Road-Id": asked.get("x-road-id"),
            "X-Road-Client": asked.get("x-road-client"),
            "X-Road-Service": "/".join(asked.target.split("?")[0].split("/")[2:7]),
            "X-Road-Request-Id": asked.get("x-road-request-id"),
            "X-Road-Request-Hash": request_hash(self.head_bytes, self.body),
        }
        usual.update({name.replace("_", "-"): value for name, value in changes.items()})
        return tuple((name, value) for name, value in usual.items() if value is not None)

    def answer(
        self,
        headers: Headers | None = None,
        *,
        body: bytes | None = b'{"ok":true}',
        status: int = 200,
        head: bytes | None = None,
    ) -> Stamped:
        """A true answer in the making, unless other `headers` are given; `head` stands in it as it is."""
        head = head or AnswerHead(headers or self.headers(), status, "OK").encode()
        made = entries(Direction.ANSWER, head, body, "application/json")
        return Stamped(self.keys, now(), tuple(made), self.signing)


@dataclass
class HostileProvider:
    """The server while it runs; `answerer` makes its answers, `shown` is the certificate that it presents.

    `got` holds what came over each connection, decrypted, once it ended.
    """

    keys: InstanceKeys
    folder: Path
    answerer: Answerer = lambda asked: as_http(asked.answer().container())
    shown: Credential | None = None
    signing: Credential | None = None
    got: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        """The port that the catalogue names."""
        return int(self._listening.getsockname()[1])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve while the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._thread.join(5)

    @contextmanager
    def answering(self, answerer: Answerer) -> Iterator[None]:
        """Answer in this way while the block runs."""
        usual, self.answerer = self.answerer, answerer
        try:
            yield
        finally:
            self.answerer = usual

    @contextmanager
    def showing(self, credential: Credential) -> Iterator[None]:
        """Present this certificate while the block runs."""
        usual, self.shown = self.shown, credential
        try:
            yield
        finally:
            self.shown = usual

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._one(connection)

    def _one(self, connection: socket.socket) -> None:
        """One connection, one request: the next call must not find an open connection with an old certificate."""
        connection.settimeout(10)
        taken = bytearray()
        try:
            with connection, self._context().wrap_socket(connection, server_side=True) as tls:
                container = _read_request(tls, taken)
                if container is not None:
                    assert self.signing is not None
                    tls.sendall(self.answerer(Asked(container, self.keys, self.signing)))
        except (OSError, ssl.SSLError):
            pass  # the other side went away, which is what some tests want
        self.got.append(bytes(taken))

    def _context(self) -> ssl.SSLContext:
        assert self.shown is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.shown.write(self.folder, f"shown-{self.shown.certificate.serial_number:x}"))
        context.load_verify_locations(cadata=self.keys.root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def as_http(
    body: bytes, *, status: str = "200 OK", content_type: str = MEDIA_TYPE, announced: int | None = None
) -> bytes:
    """An HTTP answer of this body; `announced` is its Content-Length when that is not to be true."""
    length = len(body) if announced is None else announced
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def _read_request(tls: ssl.SSLSocket, taken: bytearray) -> bytes | None:
    while b"\r\n\r\n" not in taken:
        piece = tls.recv(65536)
        if not piece:
            return None
        taken += piece
    head, _, _ = bytes(taken).partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(taken) < len(head) + 4 + length:
        piece = tls.recv(65536)
        if not piece:
            return None
        taken += piece
    return bytes(taken[len(head) + 4 :])
