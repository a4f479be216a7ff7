"""A registry that serves nothing but a status feed, over real TLS, and lets a test say what and whether."""

import datetime as dt
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec

from estamp.status_feed import IssuerStatus, RevocationReason, RevokedCertificate, StatusFeed, serial_text, sign_feed
from tests.pki import Credential, TestPki


class FeedServer:
    """Serves /status-feed on 127.0.0.1 with ETag and 304, until `stop`; `start` again takes the same port."""

    def __init__(self, pki: TestPki, folder: Path, tls: Credential | None = None) -> None:
        self.pki = pki
        self.version = 1
        self.revoked: list[RevokedCertificate] = []
        self.envelope = b""
        self.etag: str | None = None  # None: that of the envelope's bytes
        self.signs_anew = False  # as the registry does: at most a second old whenever it is asked
        self.requests = 0
        self.not_modified = 0
        self._tls_files = (tls or pki.registry).write(folder, "feed-server")
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.publish()

    @property
    def url(self) -> str:
        """Where the registry would be."""
        return f"https://127.0.0.1:{self._port}"

    def feed(self, version: int, produced_at: dt.datetime | None = None) -> StatusFeed:
        """The state as a feed."""
        pki = self.pki
        issued = [pki.signing, pki.authentication, pki.tsa, pki.ocsp, pki.registry]
        return StatusFeed(
            instance=pki.instance,
            version=version,
            produced_at=produced_at or dt.datetime.now(dt.UTC),
            issuers=(
                IssuerStatus.of(
                    pki.issuing.certificate, [each.certificate.serial_number for each in issued], self.revoked
                ),
                IssuerStatus.of(
                    pki.root.certificate,
                    [each.certificate.serial_number for each in (pki.issuing, pki.catalogue_signer, pki.root_ocsp)],
                ),
            ),
        )

    def publish(
        self, *, signer: Credential | None = None, version: int | None = None, produced_at: dt.datetime | None = None
    ) -> None:
        """Serve the present state, signed anew, from now on."""
        signer = signer or self.pki.catalogue_signer
        assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
        feed = self.feed(version or self.version, produced_at)
        self.envelope = sign_feed(feed, signer.key, signer.certificate)

    def revoke(self, credential: Credential, reason: RevocationReason = "keyCompromise") -> dt.datetime:
        """Revoke, publish the next version, and say at what time it was revoked."""
        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        serial = serial_text(credential.certificate.serial_number)
        self.revoked.append(RevokedCertificate(serial=serial, at=at, reason=reason))
        self.version += 1
        self.publish()
        return at

    def start(self) -> None:
        """Begin to serve."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            # HTTP/1.0 closes each connection after its answer, so that none outlives stop().
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                owner.requests += 1
                if owner.signs_anew:
                    owner.publish()
                body = owner.envelope
                etag = owner.etag or f'"{hash(body):x}"'
                if self.path != "/status-feed":
                    self.send_error(404)
                elif self.headers.get("If-None-Match") == etag:
                    owner.not_modified += 1
                    self.send_response(304)
                    self.end_headers()
                else:
                    self.send_response(200)
                    self.send_header("ETag", etag)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that does not like our certificate, or is killed

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._tls_files)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
