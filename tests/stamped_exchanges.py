"""A request and its answer, really stamped by a test hierarchy: evidence as two gateways would have logged it."""

import datetime as dt
import io
import secrets
import zipfile
from dataclasses import dataclass, replace
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from estamp.anchor import TrustAnchor
from estamp.certificates import key_fingerprint
from estamp.identifiers import MemberId, ServerId
from estamp.message import AnswerHead, Direction, RequestHead, entries, request_hash
from estamp.stamp import Signer, prepare
from estamp.timestamp_issuing import make_response
from estamp.timestamp_request import make_request, read_request
from estamp.timestamp_response import read_response
from tests.pki import Credential, TestPki

CLIENT = "QROO/MUN/BENITO-JUAREZ/patrullas"
SERVICE = "QROO/EST/SSP/vehiculos/placas"
TSA_POLICY = "1.3.6.1.4.1.13762.3"


def _status(pki: TestPki, credential: Credential, at: dt.datetime) -> bytes:
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=credential.certificate,
            issuer=pki.issuing.certificate,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=at,
            next_update=at + dt.timedelta(hours=1),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, pki.ocsp.certificate)
        .certificates([pki.ocsp.certificate])
        .sign(pki.ocsp.key, hashes.SHA256())
    )
    return response.public_bytes(Encoding.DER)


def stamp(
    pki: TestPki, credential: Credential, direction: Direction, head: bytes, body: bytes | None, media_type: str | None
) -> bytes:
    """A whole container, signed by `credential` and timestamped now."""
    now = dt.datetime.now(dt.UTC)
    signer = Signer(credential.certificate, credential.key, pki.issuing.certificate)
    prepared = prepare(entries(direction, head, body, media_type), signer, now)
    nonce = secrets.randbits(63)
    response = make_response(
        read_request(make_request(prepared.timestamp_imprint, nonce)),
        serial=secrets.randbits(63) + 1,
        time=now,
        policy=TSA_POLICY,
        certificate=pki.tsa.certificate,
        chain=[pki.issuing.certificate],
        key=pki.tsa.key,
    )
    token = read_response(response, imprint=prepared.timestamp_imprint, nonce=nonce)
    return prepared.complete(token, _status(pki, credential, dt.datetime.now(dt.UTC)), pki.ocsp.certificate)


@dataclass(frozen=True)
class Exchange:
    """What one call leaves; `replace` the fields to make an exchange in which something does not fit."""

    pki: TestPki
    message_id: str = "QROO-0001"
    request_id: str = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    answered_request_id: str | None = None
    answered_hash: str | None = None
    answered_service: str = SERVICE
    method: str = "GET"
    target: str = f"/r1/{SERVICE}/UTR-123-A"
    request_body: bytes | None = None
    status: int = 200
    answer_body: bytes | None = b'{"placa":"UTR-123-A"}'

    @property
    def request_head(self) -> bytes:
        """The request's head, signed."""
        headers = (
            ("X-Road-Client", CLIENT),
            ("X-Road-Id", self.message_id),
            ("X-Road-Request-Id", self.request_id),
            ("Accept", "application/json"),
        )
        return RequestHead(headers, self.method, self.target).encode()

    @property
    def answer_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that the provider's gateway signs, and the consumer's hands over."""
        return (
            ("Content-Type", "application/json; charset=utf-8"),
            ("X-Road-Id", self.message_id),
            ("X-Road-Client", CLIENT),
            ("X-Road-Service", self.answered_service),
            ("X-Road-Request-Id", self.answered_request_id or self.request_id),
            ("X-Road-Request-Hash", self.answered_hash or request_hash(self.request_head, self.request_body)),
        )

    @cached_property
    def request(self) -> bytes:
        """The stamped request."""
        return stamp(self.pki, self.pki.signing, Direction.REQUEST, self.request_head, self.request_body, None)

    @cached_property
    def answer(self) -> bytes:
        """The stamped answer, signed by the member that owns the service it names."""
        owner = MemberId(*self.answered_service.split("/")[:3])
        signing = self.pki.signing_for(owner, ServerId("QROO", "EST", "SSP", "gw1"))
        head = AnswerHead(self.answer_headers, self.status, "OK").encode()
        return stamp(self.pki, signing, Direction.ANSWER, head, self.answer_body, "application/json")

    @property
    def anchor(self) -> TrustAnchor:
        """The anchor of the hierarchy that stamped it."""
        return anchor_of(self.pki)

    def but(self, **changes: object) -> "Exchange":
        """The same exchange with other fields."""
        return replace(self, **changes)  # type: ignore[arg-type]


def anchor_of(pki: TestPki) -> TrustAnchor:
    """The trust anchor of a test hierarchy."""
    root: x509.Certificate = pki.root.certificate
    return TrustAnchor.of(
        root,
        instance=pki.instance,
        signer_key=key_fingerprint(pki.catalogue_signer.certificate),
        registry_addresses=(),
    )


def download(*exchanges: Exchange) -> bytes:
    """The ZIP that a gateway's /asic gives for these exchanges."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, exchange in enumerate(exchanges):
            archive.writestr(f"{exchange.message_id}-request-2026112100000{number}.asice", exchange.request)
            archive.writestr(f"{exchange.message_id}-response-2026112100000{number}.asice", exchange.answer)
    return buffer.getvalue()
