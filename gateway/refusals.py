"""Recording what was turned away: identities as claimed, the reason and a digest, at a bounded rate."""

from datetime import UTC, datetime

import structlog

from gateway.errors import QueryLogError
from gateway.faults import Fault
from gateway.log_entries import Refusal, Side
from gateway.query_log import QueryLog

_log = structlog.get_logger("refusals")


async def record(
    fault: Fault,
    log: QueryLog,
    side: Side,
    *,
    client: str | None = None,
    service: str | None = None,
    message_id: str | None = None,
    request_id: str | None = None,
    peer_server: str | None = None,
) -> None:
    """Write a refusal to the query log. That the log fails is reported, but changes nothing: nothing was accepted."""
    head = fault.claimed
    try:
        await log.record_refusal(
            Refusal(
                at=datetime.now(UTC),
                side=side,
                place=fault.place,
                reason=fault.reason,
                type=fault.type,
                detail=fault.message,
                client=client or (head.get("x-road-client") if head else None),
                service=service or (head.get("x-road-service") if head else None),
                message_id=message_id or (head.get("x-road-id") if head else None),
                request_id=request_id or (head.get("x-road-request-id") if head else None),
                peer_server=peer_server,
                digest=fault.digest,
                linked_entry=fault.linked_entry,
            )
        )
    except QueryLogError as error:
        _log.error("refusal-not-recorded", reason=error.reason, refused=fault.reason)
