"""A request as it stands in the query log; at both gateways, and the answer's entry is made from it."""

from datetime import UTC, datetime

from cryptography import x509

from estamp.certificate_memory import fingerprint
from estamp.identifiers import ClientId, ServiceId
from estamp.message import RequestHead
from gateway.log_entries import Direction, LogEntry, Side
from gateway.parts import Parts


def request_entry(
    side: Side,
    head: RequestHead,
    client: ClientId,
    service: ServiceId,
    peer: str,
    certificate: x509.Certificate,
    container: bytes,
    parts: Parts,
) -> LogEntry:
    """The entry of a request: ``head`` and ``container`` as signed with ``certificate``, ``peer`` the other gateway."""
    return LogEntry(
        at=datetime.now(UTC),
        instance=client.instance,
        side=side,
        direction=Direction.REQUEST,
        client=str(client),
        service=str(service),
        message_id=head.get("x-road-id") or "",
        request_id=head.get("x-road-request-id") or "",
        security_server=str(parts.identity.server),
        peer_server=peer,
        signer_fingerprint=fingerprint(certificate),
        container=container,
        user_id=head.get("x-road-userid"),
        issue=head.get("x-road-issue"),
        represented_party=head.get("x-road-represented-party"),
    )
