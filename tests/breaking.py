"""E-stamps for tests: made step by step, each step open to being done wrong, and containers changed afterwards.

:class:`Stamped` is a message in the making. Left alone it makes a valid container; ``but(...)`` replaces what a step
uses or what it gives, and everything after that step is done properly again: a SignedInfo that was rewritten is
signed as rewritten, a token that was exchanged is embedded where the real one belongs. :func:`rebuilt` and its
companions change a finished container and write its ZIP anew, whole and sound.
"""

import base64
import datetime as dt
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from estamp.anchor import TrustAnchor
from estamp.catalogue import CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, Catalogue, Member, Server, Service, Subsystem
from estamp.catalogue import TrustService as CataloguedService
from estamp.certificates import key_fingerprint
from estamp.container import Entry, write_zip
from estamp.identifiers import MemberId, ServerId
from estamp.message import AnswerHead, Direction, Headers, RequestHead, entries, request_hash
from estamp.signature import (
    MANIFEST_ENTRY,
    SIGNATURE_ENTRY,
    SignatureFields,
    assemble,
    references_to,
    signature_value_element,
    signed_info,
    signed_properties,
    write_manifest,
)
from estamp.timestamp import make_request, make_response, read_request, read_response
from tests.pki import Credential, PrivateKey, TestPki
from tests.status_answers import status_answer

CLIENT = "QROO/MUN/BENITO-JUAREZ/patrullas"
SERVICE = "QROO/EST/SSP/vehiculos/placas"
TARGET = f"/r1/{SERVICE}/UTR-123-A"
REQUEST_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MESSAGE_ID = "QROO-0001"
TSA_POLICY = "1.3.6.1.4.1.13762.3"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

TOKEN = "xades:EncapsulatedTimeStamp"
STATUS = "xades:EncapsulatedOCSPValue"
SIGNER = "ds:X509Certificate"
KEPT = "xades:EncapsulatedX509Certificate"

Files = list[tuple[str, bytes]]
Text = Callable[[str], str]


class Instance(TestPki):
    """An instance with two members, one that asks (`signing`) and one that answers (`answering`), and its anchor."""

    @cached_property
    def provider(self) -> MemberId:
        """The member that answers."""
        return MemberId(self.instance, "EST", "SSP")

    @cached_property
    def provider_server(self) -> ServerId:
        """Its security server."""
        return ServerId(self.instance, "EST", "SSP", "gw1")

    @cached_property
    def answering(self) -> Credential:
        """The signing certificate of the member that answers."""
        return self.signing_for(self.provider, self.provider_server)

    @cached_property
    def anchor(self) -> TrustAnchor:
        """The trust anchor."""
        return TrustAnchor.of(
            self.root.certificate,
            instance=self.instance,
            signer_key=key_fingerprint(self.catalogue_signer.certificate),
            registry_addresses=("https://registry.example:4001",),
        )

    def catalogue(self, issued_at: dt.datetime, **changes: object) -> Catalogue:
        """A catalogue of both members, their servers and the services that the instance trusts, good for 8 hours."""
        patrols = Subsystem(code="patrullas", name="Patrols")
        vehicles = Subsystem(code="vehiculos", name="Vehicles", services=(Service(code="placas", title="Plates"),))
        return Catalogue(
            instance=self.instance,
            version=7,
            issued_at=issued_at,
            expires_at=issued_at + dt.timedelta(hours=8),
            members=(
                Member(id=str(self.member), name="Benito Juárez", subsystems=(patrols,)),
                Member(id=str(self.provider), name="Public Security", subsystems=(vehicles,)),
            ),
            servers=(
                Server(id=str(self.server), address="127.0.0.1:5500", clients=(f"{self.member}/patrullas",)),
                Server(id=str(self.provider_server), address="127.0.0.1:6500", clients=(f"{self.provider}/vehiculos",)),
            ),
            certification_authorities=(_base64(self.issuing.der),),
            timestamp_authorities=(
                CataloguedService(address="http://127.0.0.1:8899/", certificate=_base64(self.tsa.der)),
            ),
            status_responders=(
                CataloguedService(address="http://127.0.0.1:8888/", certificate=_base64(self.ocsp.der)),
            ),
        ).model_copy(update=changes)


@dataclass(frozen=True)
class Stamped:
    """A container in the making: what each step works with, and hooks that change what it gives.

    `moment` is when everything happens unless `signing_time`, `timestamp_time` or `status_time` say otherwise.
    The hooks run in the order in which they stand here. `make_token` gets this object and the SHA-256 to be stamped;
    `make_status` gets this object.
    """

    pki: TestPki
    moment: dt.datetime
    entries: tuple[Entry, ...]
    signer: Credential
    issuer: Credential | None = None
    signing_time: dt.datetime | None = None
    timestamp_time: dt.datetime | None = None
    status_time: dt.datetime | None = None
    tsa: Credential | None = None
    responder: Credential | None = None
    rewrite_properties: Text | None = None
    rewrite_info: Text | None = None
    make_token: "Callable[[Stamped, bytes], bytes] | None" = None
    make_status: "Callable[[Stamped], bytes] | None" = None
    rewrite_fields: Callable[[SignatureFields], SignatureFields] | None = None
    rewrite_document: Text | None = None
    rewrite_manifest: Text | None = None
    rewrite_files: Callable[[Files], Files] | None = None
    pack: Callable[[Sequence[tuple[str, bytes]]], bytes] = write_zip

    def but(self, **changes: object) -> "Stamped":
        """The same message with other attributes."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def issuing(self) -> Credential:
        """The authority whose certificate is kept in the container, and which the status answer is about."""
        return self.issuer or self.pki.issuing

    @property
    def answering_responder(self) -> Credential:
        """Who gives the status answer."""
        return self.responder or self.pki.ocsp

    def token(self, imprint: bytes, *, time: dt.datetime | None = None, tsa: Credential | None = None) -> bytes:
        """A sound token over `imprint`."""
        authority = tsa or self.tsa or self.pki.tsa
        response = make_response(
            read_request(make_request(imprint, 1)),
            serial=1,
            time=time or self.timestamp_time or self.moment,
            policy=TSA_POLICY,
            certificate=authority.certificate,
            chain=authority.chain,
            key=authority.key,
        )
        return read_response(response, imprint=imprint, nonce=1)

    def status(self, *, status: str = "good", at: dt.datetime | None = None) -> bytes:
        """A sound status answer about the signer."""
        at = at or self.status_time or self.moment
        return status_answer(
            self.signer.certificate, self.issuing.certificate, self.answering_responder, at, status=status
        )

    def signed(self) -> tuple[str, str, bytes]:
        """SignedProperties and SignedInfo after their hooks, and the signature value over the latter."""
        properties = signed_properties(references_to(self.entries), self.signer.der, self.signing_time or self.moment)
        properties = _apply(self.rewrite_properties, properties)
        algorithm = ECDSA_SHA256 if isinstance(self.signer.key, ec.EllipticCurvePrivateKey) else RSA_SHA256
        info = _apply(self.rewrite_info, signed_info(references_to(self.entries), properties, algorithm))
        return properties, info, signature_value(info, self.signer.key)

    def files(self) -> Files:
        """The container's files after all steps, without ``mimetype``."""
        references = references_to(self.entries)
        properties, info, value = self.signed()
        imprint = timestamp_imprint(value)
        fields = SignatureFields(
            references=references,
            signing_time=self.signing_time or self.moment,
            certificate=self.signer.certificate,
            value=value,
            token=self.make_token(self, imprint) if self.make_token else self.token(imprint),
            certificates=(self.issuing.der, self.answering_responder.der),
            status=self.make_status(self) if self.make_status else self.status(),
        )
        if self.rewrite_fields:
            fields = self.rewrite_fields(fields)
        document = _apply(self.rewrite_document, assemble(info, properties, self.signer.der, fields).decode())
        manifest = _apply(self.rewrite_manifest, write_manifest(references).decode())
        files = [(entry.name, entry.data) for entry in self.entries]
        files += [(MANIFEST_ENTRY, manifest.encode()), (SIGNATURE_ENTRY, document.encode())]
        return self.rewrite_files(files) if self.rewrite_files else files

    def container(self) -> bytes:
        """The container."""
        return self.pack(self.files())


def request_headers(**changes: str | None) -> Headers:
    """The headers of the usual request; `X_Road_Id=...` replaces or adds one, None takes one away."""
    usual = {"X-Road-Client": CLIENT, "X-Road-Id": MESSAGE_ID, "X-Road-Request-Id": REQUEST_ID}
    return _changed(usual, changes)


def answer_headers(request: bytes, body: bytes | None = None, **changes: str | None) -> Headers:
    """The headers of the usual answer to a request of this head and body."""
    usual = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Road-Id": MESSAGE_ID,
        "X-Road-Client": CLIENT,
        "X-Road-Service": SERVICE,
        "X-Road-Request-Id": REQUEST_ID,
        "X-Road-Request-Hash": request_hash(request, body),
    }
    return _changed(usual, changes)


def request(
    pki: Instance, moment: dt.datetime, *, head: bytes | None = None, body: bytes | None = None, media_type: str = ""
) -> Stamped:
    """The usual request of the member that asks; `head` stands in the container as it is."""
    head = RequestHead(request_headers(), "GET", TARGET).encode() if head is None else head
    return Stamped(pki, moment, tuple(entries(Direction.REQUEST, head, body, media_type)), pki.signing)


def answer(
    pki: Instance,
    moment: dt.datetime,
    *,
    head: bytes | None = None,
    body: bytes | None = b'{"placa":"UTR-123-A"}',
    media_type: str = "application/json",
) -> Stamped:
    """The usual answer to :func:`request`, of the member that answers."""
    if head is None:
        asked = RequestHead(request_headers(), "GET", TARGET).encode()
        head = AnswerHead(answer_headers(asked), 200, "OK").encode()
    return Stamped(pki, moment, tuple(entries(Direction.ANSWER, head, body, media_type)), pki.answering)


def published(pki: Instance, moment: dt.datetime, catalogue: Catalogue | bytes) -> Stamped:
    """A catalogue, to be stamped by the catalogue signer."""
    data = catalogue if isinstance(catalogue, bytes) else catalogue.dump()
    entry = Entry(CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, data)
    return Stamped(pki, moment, (entry,), signer=pki.catalogue_signer, issuer=pki.root, responder=pki.root_ocsp)


def timestamp_imprint(value: bytes) -> bytes:
    """The SHA-256 that a timestamp of this signature value is over."""
    return hashlib.sha256(signature_value_element(value).encode()).digest()


def signature_value(info: str, key: PrivateKey) -> bytes:
    """An XML-DSig signature value with SHA-256 under any key of the tests, those that the wire does not allow too."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        return b"".join(
            each.to_bytes(size) for each in decode_dss_signature(key.sign(info.encode(), ec.ECDSA(hashes.SHA256())))
        )
    return key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256())


def rebuilt(container: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The container with some entries' bytes replaced (None: left out), its ZIP written anew, whole and sound."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()[1:]]
    kept = [(name, changes.get(name, data)) for name, data in files]
    return write_zip([(name, data) for name, data in kept if data is not None])


def entry_of(container: bytes, name: str) -> bytes:
    """The bytes of one entry, as Python's zipfile reads them."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        return archive.read(name)


def embedded(container: bytes, element: str) -> list[bytes]:
    """What the signature document carries in base64 in each `element` (TOKEN, STATUS, SIGNER, KEPT), decoded."""
    document = entry_of(container, SIGNATURE_ENTRY).decode()
    return [base64.b64decode(text) for text in re.findall(f"<{element}>([^<]*)</{element}>", document)]


def with_embedded(container: bytes, element: str, data: bytes, number: int = 0) -> bytes:
    """The container with other bytes in the `number`-th such element, its ZIP written anew."""
    document = entry_of(container, SIGNATURE_ENTRY).decode()
    found = list(re.finditer(f"(?<=<{element}>)[^<]*(?=</{element}>)", document))[number]
    changed = document[: found.start()] + _base64(data) + document[found.end() :]
    return rebuilt(container, {SIGNATURE_ENTRY: changed.encode()})


def flipped(data: bytes, at: int, mask: int = 0x01) -> bytes:
    """`data` with the bits of `mask` turned over in the byte at `at`."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


def _apply(hook: Text | None, text: str) -> str:
    return hook(text) if hook else text


def _changed(usual: dict[str, str], changes: Mapping[str, str | None]) -> Headers:
    merged: dict[str, str | None] = {**usual, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return tuple((name, value) for name, value in merged.items() if value is not None)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
