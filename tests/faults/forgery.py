"""Status answers and catalogues that a test makes with the instance's own keys, and servers that tell them."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.x509 import ocsp

from estamp.catalogue import CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, Catalogue
from estamp.certificates import load_certificate
from estamp.container import Entry
from estamp.stamp import Signer
from service_runtime.keys import load_private_key
from service_runtime.stamping import Stamper
from service_runtime.status_answers import StatusAnswers
from service_runtime.tls import Identity, load_certificates, server_context
from service_runtime.trust_services import TrustServices
from tests.pki import Credential
from tests.running_instance import RunningInstance
from tests.status_answers import status_answer
from xacbe.demo_files import MEMBERS


def signing_certificate(instance: RunningInstance, gateway: str) -> tuple[x509.Certificate, x509.Certificate]:
    """The certificate with which a gateway signs, and the issuing CA's."""
    _, member_class, code = MEMBERS[gateway].split("/")
    leaf, issuing = load_certificates(instance.state_of(gateway) / f"signing_{member_class}_{code}.pem")
    return leaf, issuing


def responder(instance: RunningInstance) -> Credential:
    """The instance's status responder."""
    return _credential(instance.registry_state / "trust-services" / "ocsp")


def answer_about(
    instance: RunningInstance, gateway: str, produced_at: datetime, status: str = "good", nonce: bytes | None = None
) -> bytes:
    """What the instance's responder would have said of a gateway's signing certificate at that moment."""
    leaf, issuing = signing_certificate(instance, gateway)
    moment = produced_at.replace(microsecond=0)
    return status_answer(leaf, issuing, responder(instance), moment, status=status, nonce=nonce)


@contextmanager
def telling(instance: RunningInstance, tell: Callable[[int, bytes], bytes | None]) -> Iterator[None]:
    """A server in the place of the instance's responder, which must not run.

    ``tell`` gives the answer from the serial number that is asked for and the nonce; None is no answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = ocsp.load_der_ocsp_request(self.rfile.read(int(self.headers["Content-Length"])))
            nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
            answer = tell(asked.serial_number, nonce)
            _answer(self, 503 if answer is None else 200, answer or b"", "application/ocsp-response")

        def log_message(self, *_: object) -> None:
            return

    with _serving(ThreadingHTTPServer(("127.0.0.1", instance.ports.ocsp.port), Handler)):
        yield


def stamped_catalogue(
    instance: RunningInstance, catalogue: Catalogue, folder: Path, signer: Signer | None = None
) -> bytes:
    """A container with this catalogue, really stamped by the instance's catalogue signer, or by somebody else."""
    if signer is None:
        credential = _credential(instance.registry_state / "catalogue-signer")
        signer = Signer(credential.certificate, credential.key, instance.anchor.root)
    by = signer

    async def stamp() -> bytes:
        async with aiohttp.ClientSession() as session:
            stamper = Stamper(session, lambda: TrustServices.of(catalogue), StatusAnswers(session, folder))
            return await stamper.stamp([Entry(CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, catalogue.dump())], by)

    return asyncio.run(stamp())


def signer_of_gateway(instance: RunningInstance, gateway: str) -> Signer:
    """A member's own signing key and certificate: genuine, but not the catalogue signer's."""
    leaf, issuing = signing_certificate(instance, gateway)
    (key,) = instance.state_of(gateway).glob("signing_*.key")
    return Signer(leaf, load_private_key(key), issuing)


class FalseRegistry:
    """Whoever has taken the registry's place and its TLS key, and offers a catalogue of their own; one at a time."""

    def __init__(self, instance: RunningInstance) -> None:
        self.offer: bytes | None = None
        self.asked = 0
        self._port = instance.ports.registry.port
        tls = instance.registry_state / "tls"
        self._context: ssl.SSLContext = server_context(Identity(tls / "chain.pem", tls / "key.pem"))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While the block runs, it answers on the registry's port."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if registry.offer is None:
                    threading.Event().wait(0.2)
                    _answer(self, 304, b"", "text/plain")
                else:
                    _answer(self, 200, registry.offer, "application/vnd.etsi.asic-e+zip")
                registry.asked += 1

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        server.socket = self._context.wrap_socket(server.socket, server_side=True)
        with _serving(server):
            yield


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, media_type: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", media_type)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _credential(folder: Path) -> Credential:
    key = load_private_key(folder / "key.pem")
    return Credential(load_certificate((folder / "certificate.pem").read_bytes()), key)
