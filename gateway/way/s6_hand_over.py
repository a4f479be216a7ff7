"""Step 6, at the consumer gateway: the answer is verified, tied to its request and committed before anyone sees it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from estamp.certificate_memory import fingerprint
from estamp.message import AnswerHead, Direction, request_hash
from estamp.verification import Policy, verify
from gateway.errors import QueryLogError
from gateway.faults import ERROR_HEADER, Fault, Place, is_fault_type
from gateway.log_entries import Direction as LogDirection
from gateway.parts import Parts
from gateway.way.s1_accept import Call
from gateway.way.s2_send import Sent

_HERE = Place.CONSUMER
_WITHOUT_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer, committed to the query log."""

    head: AnswerHead
    body: bytes | None


async def hand_over(call: Call, sent: Sent, parts: Parts) -> Answer:
    """Verify, commit and return the answer; raises Fault, with ``linked_entry`` and ``digest`` of what was refused."""
    try:
        return await _checked(call, sent, parts)
    except Fault as fault:
        fault.linked_entry = sent.entry_id
        fault.digest = hashlib.sha256(sent.answer).hexdigest()
        fault.detail = call.request_id
        raise


async def _checked(call: Call, sent: Sent, parts: Parts) -> Answer:
    # The newest catalogue, not the one by which the request was sent: it may have been suspended since.
    try:
        catalogue = parts.catalogue.current(_HERE)
    except Fault as fault:
        # By now the service has been called: unlike before sending, it is not for the caller to try again.
        raise Fault("answer-not-judged", f"The answer cannot be judged: {fault.message}", _HERE) from None
    tolerance = timedelta(seconds=parts.settings.time.tolerance_seconds)
    policy = Policy(datetime.now(UTC), live=True, tolerance=tolerance)
    verdict = verify(sent.answer, parts.anchor, policy, catalogue)
    if not verdict.valid:
        raise Fault.of_verdict(verdict, _HERE)
    found = verdict.findings
    assert found.signer is not None
    assert found.certificate is not None
    if found.direction is not Direction.ANSWER or not isinstance(found.head, AnswerHead):
        raise Fault("answer-inconsistent", "The container holds a request.", _HERE)
    if str(found.signer.server) != sent.server.id or found.signer.member != call.service.provider.member:
        raise Fault(
            "answer-other-signer",
            f"Signed by {found.signer.member} on {found.signer.server}, not by the provider on {sent.server.id}.",
            _HERE,
        )
    expected = {
        "X-Road-Id": call.message_id,
        "X-Road-Client": str(call.client),
        "X-Road-Service": str(call.service),
        "X-Road-Request-Id": call.request_id,
        "X-Road-Request-Hash": request_hash(call.head_bytes, call.body),
    }
    for name, value in expected.items():
        if found.head.get(name) != value:
            raise Fault("answer-inconsistent", f"The answer's {name} is not that of the request.", _HERE)
    if found.body and found.head.status in _WITHOUT_BODY:
        # Written out, it would be read as the head of the caller's next answer.
        raise Fault(
            "answer-inconsistent", f"The answer has a body, but its status {found.head.status} has none.", _HERE
        )
    fault_type = found.head.get(ERROR_HEADER)
    if fault_type is not None and not is_fault_type(fault_type):
        raise Fault("answer-inconsistent", f"The answer's {ERROR_HEADER} is no fault of the protocol.", _HERE)
    entry = replace(
        sent.entry,
        at=datetime.now(UTC),
        direction=LogDirection.ANSWER,
        signer_fingerprint=fingerprint(found.certificate),
        container=sent.answer,
        status_code=found.head.status,
        fault_type=fault_type,
        fault_reason=_reason(found.body) if fault_type else None,
    )
    try:
        await parts.log.record_answer(entry)
    except QueryLogError:
        raise Fault.of_lost_answer(_HERE, detail=call.request_id) from None
    return Answer(found.head, found.body)


def _reason(fault: bytes | None) -> str | None:
    """The reason in a stamped fault; None in one that tells none, as XML does not."""
    told = Fault.of_peer(fault or b"")
    return told.reason if told else None
