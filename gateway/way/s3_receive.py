"""Step 3, at the provider gateway: nothing is believed of a request before its e-stamp verified and it is logged."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from estamp.catalogue import Catalogue, Server
from estamp.certificate_memory import fingerprint, kind_of, load_certificate, server_of
from estamp.certificates import Kind
from estamp.container import MEDIA_TYPE
from estamp.errors import CertificateError
from estamp.identifiers import ClientId, MemberId
from estamp.message import Direction, RequestHead, request_hash
from estamp.verification import Policy, verify
from gateway.asgi_body import header, read_body
from gateway.errors import QueryLogError
from gateway.faults import Fault, Place
from gateway.log_entries import Claim, ClaimOutcome, LogEntry, Side
from gateway.parts import Parts
from gateway.peer_client import PEER_PATH, WIRE_HEADER, WIRE_VERSION
from gateway.target import Target, read_target
from gateway.way.request_entry import request_entry

_HERE = Place.PROVIDER


@dataclass(frozen=True, slots=True)
class Received:
    """A verified request: its parts, the server that brought it, and the entry that it will stand as in the log."""

    head: RequestHead
    head_bytes: bytes
    body: bytes | None
    client: ClientId
    target: Target
    entry: LogEntry

    @property
    def request_hash(self) -> str:
        """The hash that the answer must carry."""
        return request_hash(self.head_bytes, self.body)


def known_peer(certificate: bytes | None, catalogue: Catalogue) -> Server:
    """The registered server whose authentication certificate (DER) the TLS peer showed.

    Raises Fault: ``peer-unknown``, ``certificate-wrong-kind``, ``certificate-revoked``, ``member-suspended``,
    ``server-suspended``.
    """
    if certificate is None:
        raise Fault("peer-unknown", "The peer showed no certificate.", _HERE)
    try:
        shown = load_certificate(certificate)
        if kind_of(shown) is not Kind.AUTHENTICATION:
            raise Fault("certificate-wrong-kind", "The peer showed a certificate that is not for TLS.", _HERE)
        named = server_of(shown)
    except CertificateError as error:
        raise Fault(error.reason, error.message, _HERE) from None
    name = fingerprint(shown)
    if name in catalogue.revoked_certificates:
        raise Fault("certificate-revoked", f"The authentication certificate of {named} is revoked.", _HERE)
    server = catalogue.server_with(name)
    if server is None or server.id != str(named):
        raise Fault("peer-unknown", f"The certificate of {named} is not registered in the catalogue.", _HERE)
    if server.suspended:
        raise Fault("server-suspended", f"The server {named} is suspended.", _HERE)
    owner = catalogue.member(named.owner)
    if owner is None:
        raise Fault("member-unknown", f"{named.owner} does not stand in the catalogue.", _HERE)
    if owner.suspended:
        raise Fault("member-suspended", f"{named.owner} is suspended.", _HERE)
    return server


async def take_in(scope: Any, receive: Any, parts: Parts) -> bytes:
    """The container that a peer posts; raises Fault when the request around it is not the wire's."""
    if scope["path"] != PEER_PATH or scope["method"] != "POST":
        raise Fault("wire-unsupported", f"Peers send POST {PEER_PATH}.", _HERE)
    if header(scope, WIRE_HEADER.lower().encode()) != WIRE_VERSION.encode():
        raise Fault("wire-unsupported", f"This gateway speaks version {WIRE_VERSION} of the wire.", _HERE)
    if header(scope, b"content-type") != MEDIA_TYPE.encode():
        raise Fault("content-type-unsupported", "The content is not an ASiC-E container.", _HERE)
    limit = parts.settings.limits.max_container_bytes
    return await read_body(scope, receive, limit, _HERE, too_large="container-too-large") or b""


def examine(container: bytes, peer: Server, catalogue: Catalogue, parts: Parts) -> Received:
    """Verify the e-stamp and that this peer may bring this request here; raises Fault."""
    now = datetime.now(UTC)
    tolerance = timedelta(seconds=parts.settings.time.tolerance_seconds)
    verdict = verify(container, parts.anchor, Policy(now, live=True, tolerance=tolerance), catalogue)
    if not verdict.valid:
        raise Fault.of_verdict(verdict, _HERE)
    found = verdict.findings
    assert found.signer is not None
    assert found.certificate is not None
    if found.direction is not Direction.REQUEST or not isinstance(found.head, RequestHead):
        raise Fault("direction-wrong", "The container holds an answer.", _HERE)
    if str(found.signer.server) != peer.id:
        raise Fault("signer-not-peer", f"Signed on {found.signer.server}, but brought by {peer.id}.", _HERE)
    target = read_target(found.head.target, _HERE)
    provider = target.service.provider
    this = catalogue.server(parts.identity.server)
    if this is None or str(provider) not in this.clients or provider.member not in parts.identity.signers:
        raise Fault("provider-not-hosted", f"{provider} is not hosted on this gateway.", _HERE)
    _require_own_standing(provider.member, this, catalogue, parts)
    wanted = found.head.get("x-road-security-server")
    if wanted is not None and wanted != str(parts.identity.server):
        raise Fault("server-not-this", f"The request is for {wanted}.", _HERE)
    client = ClientId.parse(found.head.get("x-road-client") or "")
    return Received(
        head=found.head,
        head_bytes=found.head_bytes,
        body=found.body,
        client=client,
        target=target,
        entry=request_entry(
            Side.PROVIDER, found.head, client, target.service, peer.id, found.certificate, container, parts
        ),
    )


def _require_own_standing(member: MemberId, this: Server, catalogue: Catalogue, parts: Parts) -> None:
    """See that the consumer would take our answer: the service must not be called for one that it refuses."""
    if this.suspended:
        raise Fault("server-suspended", f"{this.id} is suspended.", _HERE)
    for each in (member, parts.identity.server.owner):
        entry = catalogue.member(each)
        if entry is None or entry.suspended:
            raise Fault("member-suspended", f"{each} is suspended.", _HERE)
    if fingerprint(parts.identity.signers[member].certificate) in catalogue.revoked_certificates:
        raise Fault("certificate-revoked", f"The signing certificate of {member} here is revoked.", _HERE)


async def claim(received: Received, parts: Parts) -> Claim:
    """Claim the request id and commit the request: after a NEW claim, and only then, the request is accepted.

    Raises Fault: ``replayed``, ``outcome-unknown`` (the same container again, whose answer is not known yet),
    ``log-unavailable``. A SAME claim with an answer is returned.
    """
    try:
        outcome = await parts.log.record_request(received.entry)
    except QueryLogError as error:
        raise Fault.of_log(error, _HERE) from None
    if outcome.outcome is ClaimOutcome.REPLAY:
        raise Fault("replayed", f"The request id {received.entry.request_id[:64]} was used before.", _HERE)
    if outcome.outcome is ClaimOutcome.SAME and outcome.answer is None:
        raise Fault("outcome-unknown", "This very request was accepted before; its answer is not known yet.", _HERE)
    return outcome
