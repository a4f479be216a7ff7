"""Step 5, at the provider gateway: the answer, or the fault in its place, is stamped, committed, and only then sent."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from estamp.certificate_memory import fingerprint
from estamp.errors import EstampError, HeadError
from estamp.message import AnswerHead, Direction, Headers, entries, header_values
from gateway.errors import QueryLogError
from gateway.faults import ERROR_HEADER, Fault, Place
from gateway.headers import SET_ON_ANSWERS, passed_on
from gateway.log_entries import Direction as LogDirection
from gateway.parts import Parts
from gateway.service_client import ServiceAnswer
from gateway.way.s3_receive import Received
from service_runtime.errors import StampingError

_HERE = Place.PROVIDER


@dataclass(frozen=True, slots=True)
class _Message:
    head: AnswerHead
    head_bytes: bytes
    body: bytes | None


async def answer(received: Received, outcome: ServiceAnswer | Fault, parts: Parts) -> bytes:
    """The stamped container that answers ``received``, durable in the query log.

    Raises Fault ``answer-not-stamped`` or ``answer-not-logged``: then the caller learns that the service was called but
    that there is no answer.
    """
    fault = outcome if isinstance(outcome, Fault) else None
    if isinstance(outcome, Fault):
        message = _of_fault(outcome, received)
    else:
        try:
            message = _of_service(outcome, received)
        except HeadError:
            fault = Fault(
                "service-answer-malformed",
                "The service's answer has a header that cannot be passed on.",
                Place.SERVICE,
                detail=received.entry.request_id,
            )
            message = _of_fault(fault, received)
    signer = parts.identity.signers[received.target.service.provider.member]
    try:
        container = await parts.stamper.stamp(
            entries(Direction.ANSWER, message.head_bytes, message.body, message.head.get("content-type")), signer
        )
    except (StampingError, EstampError) as error:
        raise Fault(
            "answer-not-stamped",
            f"The answer could not be stamped: {error.message}",
            _HERE,
            detail=received.entry.request_id,
        ) from None
    entry = replace(
        received.entry,
        at=datetime.now(UTC),
        direction=LogDirection.ANSWER,
        container=container,
        signer_fingerprint=fingerprint(signer.certificate),
        status_code=message.head.status,
        fault_type=fault.type if fault else None,
        fault_reason=fault.reason if fault else None,
    )
    try:
        await parts.log.record_answer(entry)
    except QueryLogError:
        raise Fault.of_lost_answer(_HERE, detail=received.entry.request_id) from None
    return container


def _of_service(outcome: ServiceAnswer, received: Received) -> _Message:
    headers = passed_on(outcome.headers, SET_ON_ANSWERS) + _set_by_gateway(received)
    head = AnswerHead(headers, outcome.status, outcome.reason)
    return _Message(head, head.encode(), outcome.body)


def _of_fault(fault: Fault, received: Received) -> _Message:
    # In the form that the information system asked for: what is signed here is what it is handed.
    content_type, body = fault.told(header_values(received.head.headers, "accept"))
    headers = (("Content-Type", content_type), (ERROR_HEADER, fault.type), *_set_by_gateway(received))
    head = AnswerHead(headers, fault.status, "Internal Server Error" if fault.status == 500 else "Bad Request")
    return _Message(head, head.encode(), None if received.head.method == "HEAD" else body)


def _set_by_gateway(received: Received) -> Headers:
    return (
        ("x-road-id", received.entry.message_id),
        ("x-road-client", received.entry.client),
        ("x-road-service", received.entry.service),
        ("x-road-request-id", received.entry.request_id),
        ("x-road-request-hash", received.request_hash),
    )
