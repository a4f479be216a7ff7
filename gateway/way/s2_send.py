"""Step 2, at the consumer gateway: find the provider, stamp the request, commit it, send it."""

from dataclasses import dataclass

from estamp.catalogue import Catalogue, Server
from estamp.certificate_memory import fingerprint
from estamp.identifiers import ClientId, ServerId
from estamp.message import Direction, entries
from estamp.stamp import Signer
from gateway.errors import QueryLogError
from gateway.faults import Fault, Place
from gateway.log_entries import LogEntry, Side
from gateway.parts import Parts
from gateway.way.request_entry import request_entry
from gateway.way.s1_accept import Call
from service_runtime.errors import StampingError

_HERE = Place.CONSUMER


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that is in the query log and was sent: to whom, and the container that came back."""

    server: Server
    entry: LogEntry
    entry_id: int
    answer: bytes


async def send(call: Call, parts: Parts) -> Sent:
    """Stamp, commit and send; raises Fault, with the request's log entry in ``linked_entry`` once there is one."""
    catalogue = parts.catalogue.current(_HERE)
    signer = _signer(call.client, catalogue, parts)
    _route(call, catalogue)
    try:
        container = await parts.stamper.stamp(
            entries(Direction.REQUEST, call.head_bytes, call.body, call.head.get("content-type")), signer
        )
    except StampingError as error:
        raise Fault.of_stamping(error, _HERE) from None
    # Stamping took its time, and the newest catalogue decides.
    server = _route(call, parts.catalogue.current(_HERE))
    entry = request_entry(
        Side.CONSUMER, call.head, call.client, call.service, server.id, signer.certificate, container, parts
    )
    try:
        claim = await parts.log.record_request(entry)
    except QueryLogError as error:
        raise Fault.of_log(error, _HERE) from None
    try:
        answer = await parts.peers.send(server, container, detail=call.request_id)
    except Fault as fault:
        fault.linked_entry = claim.entry_id
        raise
    return Sent(server, entry, claim.entry_id, answer)


def _signer(client: ClientId, catalogue: Catalogue, parts: Parts) -> Signer:
    member = catalogue.member(client.member)
    if member is None or not catalogue.knows_client(client):
        raise Fault("client-unknown", f"{client} does not stand in the catalogue.", _HERE)
    if member.suspended:
        raise Fault("member-suspended", f"{member.id} is suspended.", _HERE)
    this = catalogue.server(parts.identity.server)
    if this is None or str(client) not in this.clients:
        raise Fault("client-not-hosted", f"{client} is not registered on this gateway.", _HERE)
    if this.suspended:
        raise Fault("server-suspended", f"This gateway, {this.id}, is suspended.", _HERE)
    signer = parts.identity.signers.get(client.member)
    if signer is None:
        raise Fault("signing-key-missing", f"This gateway has no signing certificate of {client.member}.", _HERE)
    if fingerprint(signer.certificate) in catalogue.revoked_certificates:
        raise Fault("certificate-revoked", f"The signing certificate of {client.member} here is revoked.", _HERE)
    return signer


def _route(call: Call, catalogue: Catalogue) -> Server:
    """The server to send to: the one that was named, else the first that hosts the provider and is not suspended."""
    provider = call.service.provider
    member = catalogue.member(provider.member)
    if member is None or not catalogue.knows_client(provider):
        raise Fault("provider-unknown", f"{provider} does not stand in the catalogue.", _HERE)
    if member.suspended:
        raise Fault("member-suspended", f"{member.id} is suspended.", _HERE)
    servers = catalogue.servers_of(provider)
    if call.security_server is not None:
        servers = [server for server in servers if server.id == str(call.security_server)]
        if not servers:
            raise Fault("server-unknown", f"{call.security_server} does not host {provider}.", _HERE)
        if servers[0].suspended:
            raise Fault("server-suspended", f"{servers[0].id} is suspended.", _HERE)
    usable = [server for server in servers if not server.suspended and _owner_stands(server, catalogue)]
    if not usable:
        raise Fault("provider-without-server", f"No gateway is in service for {provider}.", _HERE)
    return usable[0]


def _owner_stands(server: Server, catalogue: Catalogue) -> bool:
    owner = catalogue.member(ServerId.parse(server.id).owner)
    return owner is not None and not owner.suspended
