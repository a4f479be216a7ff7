"""A registered gateway in a test's hands: it stamps what it likes with its own keys, and posts that over mTLS."""

import datetime as dt
import hashlib
import http.client
import re
import ssl
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from estamp.anchor import TrustAnchor
from estamp.container import MEDIA_TYPE
from estamp.message import AnswerHead, Direction, entries
from estamp.verification import Policy, verify
from gateway.peer_client import PEER_PATH, WIRE_HEADER, WIRE_VERSION
from tests.attacks.instance_keys import InstanceKeys
from tests.attacks.told import Told, read_fault, require_discreet
from tests.breaking import Stamped
from tests.echo_service import EchoService
from tests.pki import Credential
from tests.running_instance import PROVIDER, RunningInstance

MIRROR = "QROO/EST/SSP/vehiculos/espejo"
"""The service that the provider's gateway offers for these tests: it records what reaches it."""

BODY = b'{"query":"UTR-123-A"}'
WIRE = {WIRE_HEADER: WIRE_VERSION, "Content-Type": MEDIA_TYPE}


@dataclass(frozen=True)
class PeerAnswer:
    """What a peer answered over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def fault(self) -> Told:
        """The unstamped refusal that it is."""
        told = read_fault(self.body)
        assert self.status == (500 if told.type.startswith("Server.") else 400)
        assert self.headers["content-type"].startswith("application/json")
        assert self.headers["x-road-error"] == told.type
        return told

    def stamped(self, anchor: TrustAnchor) -> tuple[AnswerHead, bytes | None]:
        """Head and body of the valid stamped answer that it is."""
        assert (self.status, self.headers["content-type"]) == (200, MEDIA_TYPE), self.body[:500]
        verdict = verify(self.body, anchor, Policy(dt.datetime.now(dt.UTC), live=True))
        assert verdict.valid, verdict.failure
        head = verdict.findings.head
        assert isinstance(head, AnswerHead)
        return head, verdict.findings.body


@dataclass(frozen=True)
class HostileConsumer:
    """A gateway's identity, and the ways to misuse it; `folder` is where files for TLS are left."""

    instance: RunningInstance
    keys: InstanceKeys
    service: EchoService
    folder: Path
    server: str
    client: str
    authentication: Credential
    signing: Credential

    def request(
        self,
        path: str = "/x",
        *,
        service: str = MIRROR,
        method: str = "POST",
        body: bytes | None = BODY,
        head: bytes | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        client: str | None = None,
        request_id: str | None = None,
    ) -> Stamped:
        """A sound request to the mirror, in the making; `head` stands in it as it is, `headers` are added."""
        head = head or self.head(path, service, method, headers, client or self.client, request_id)
        made = entries(Direction.REQUEST, head, body, "application/json" if body is not None else None)
        return Stamped(self.keys, now(), tuple(made), self.signing)

    def head(
        self,
        path: str = "/x",
        service: str = MIRROR,
        method: str = "POST",
        headers: tuple[tuple[str, str], ...] = (),
        client: str | None = None,
        request_id: str | None = None,
    ) -> bytes:
        """The head of a request, written without the checks of a gateway."""
        lines = [
            method,
            f"/r1/{service}{path}",
            "Content-Type:application/json",
            f"X-Road-Client:{client or self.client}",
            "X-Road-Id:attack",
            f"X-Road-Request-Id:{request_id or uuid.uuid4()}",
            *(f"{name}:{value}" for name, value in headers),
        ]
        if method in ("GET", "HEAD"):
            del lines[2]
        return "".join(f"{line}\r\n" for line in lines).encode("latin-1")

    def context(self, credential: Credential | None) -> ssl.SSLContext:
        """TLS as this gateway would speak it, showing `credential` (None: no certificate at all)."""
        context = ssl.create_default_context(cadata=self.keys.root.pem.decode())
        context.check_hostname = False
        if credential is not None:
            name = hashlib.sha256(credential.der).hexdigest()[:16]
            certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
            if not key.exists():
                credential.write(self.folder, name)
            context.load_cert_chain(certificate, key)
        return context

    def connect(self, credential: Credential | None = None) -> http.client.HTTPSConnection:
        """A connection to the provider's gateway, with the own or another authentication certificate."""
        port = self.instance.ports.peers(PROVIDER).port
        context = self.context(credential or self.authentication)
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)

    def send(
        self,
        container: bytes,
        *,
        credential: Credential | None = None,
        headers: Mapping[str, str] = WIRE,
        connection: http.client.HTTPSConnection | None = None,
        method: str = "POST",
        path: str = PEER_PATH,
        chunked: bool = False,
    ) -> PeerAnswer:
        """Post a container to the provider's gateway, on a connection of its own unless one is given."""
        used = connection or self.connect(credential)
        try:
            content = iter([container]) if chunked else container
            used.request(method, path, content, dict(headers), encode_chunked=chunked)
            return read_answer(used)
        finally:
            if connection is None:
                used.close()

    def accepted(self, container: bytes) -> PeerAnswer:
        """Send what must be accepted; the stamped answer carries no fault."""
        answer = self.send(container)
        head, _ = answer.stamped(self.instance.anchor)
        assert head.get("x-road-error") is None
        return answer

    def refused(
        self,
        container: bytes,
        code: str,
        *reasons: str,
        credential: Credential | None = None,
        connection: http.client.HTTPSConnection | None = None,
        read: bool = True,
    ) -> Told:
        """Send what must be refused unstamped: with one of `reasons`, told, logged with its digest, and not processed.

        `code` is X-Road's, without its prefix. `read` says whether the gateway was to take the container in at all.
        """
        before = Traces.of(self)
        told = self.send(container, credential=credential, connection=connection).fault()
        assert told.reason in reasons, told
        assert told.what == (f"Server.ServerProxy.{code}", told.reason, "provider gateway")
        assert Traces.of(self) == before, "something was processed"
        digest = hashlib.sha256(container).hexdigest() if read else None
        rows = self.instance.refusals(PROVIDER, "digest is ?", digest)
        assert rows, "the refusal is not in the log"
        assert (rows[-1]["side"], rows[-1]["reason"], rows[-1]["type"]) == ("provider", told.reason, told.type)
        assert rows[-1]["place"] == "provider gateway"
        return told


@dataclass(frozen=True)
class Traces:
    """What a processed request would leave at the provider: a call of its service, an entry in its log."""

    calls: int
    last_entry: int

    @classmethod
    def of(cls, consumer: HostileConsumer) -> "Traces":
        """The traces there are now."""
        newest = consumer.instance.entries(PROVIDER, "id = (select max(id) from entry)")
        return cls(len(consumer.service.seen), newest[0]["id"] if newest else 0)


def read_answer(connection: http.client.HTTPSConnection) -> PeerAnswer:
    """Read the answer on a connection, whole; it must tell nothing of the machine it comes from."""
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read()
    require_discreet(repr(headers).encode())
    if headers.get("content-type") != MEDIA_TYPE:
        require_discreet(body)
    return PeerAnswer(answer.status, headers, body)


def request_id_of(container: bytes) -> str:
    """The request id in a container's head."""
    found = re.search(rb"X-Road-Request-Id:([^\r]*)\r\n", container)
    assert found is not None
    return found[1].decode()


def now() -> dt.datetime:
    """The present moment in whole seconds, as e-stamps have it."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def open_connection(party: HostileConsumer) -> http.client.HTTPSConnection:
    """A kept connection on which an answer came already."""
    connection = party.connect()
    party.send(party.request().container(), connection=connection).stamped(party.instance.anchor)
    assert connection.sock is not None
    return connection


def seconds_until_closed(connection: http.client.HTTPSConnection) -> float:
    """How long from now until the peer has closed a connection on which nothing is under way."""
    started = time.monotonic()
    connection.sock.settimeout(20)
    # Without TLS's farewell is as good.
    with suppress(ssl.SSLError, ConnectionError):
        assert connection.sock.recv(1) == b""
    return time.monotonic() - started
