"""Whether two verified messages belong together, and whether they are what this process sent and got; pure.

Each e-stamp by itself says only who sent what and when. That the answer answers this request follows from the
request id and the request hash in the answer's signed head.
"""

from estamp.errors import IdentifierError
from estamp.identifiers import ServiceId
from estamp.message import AnswerHead, RequestHead
from estamp.verdict import Check, Findings, Outcome
from member_sdk.answers import AnswerContent

_SAME_HEADERS = (
    ("same-message-id", "X-Road-Id", "message id"),
    ("same-request-id", "X-Road-Request-Id", "request id"),
    ("same-client", "X-Road-Client", "client"),
)


def _check(name: str, holds: bool, what: str, otherwise: str) -> Check:
    if holds:
        return Check(name, Outcome.PASSED, what)
    return Check(name, Outcome.FAILED, otherwise, reason=f"evidence-{name}")


def _service_asked(target: str) -> ServiceId | None:
    try:
        return ServiceId.parse("/".join(target.partition("?")[0].split("/")[2:7]))
    except IdentifierError:
        return None


def _service_named(head: AnswerHead) -> ServiceId | None:
    try:
        return ServiceId.parse(head.get("X-Road-Service") or "")
    except IdentifierError:
        return None


def check_pair(request: Findings, answer: Findings) -> tuple[Check, ...]:
    """Whether ``answer`` answers ``request``; both must come from valid verdicts."""
    asked, answered = request.head, answer.head
    if not isinstance(asked, RequestHead) or not isinstance(answered, AnswerHead):
        detail = "the two containers are not one request and one answer"
        return (Check("directions", Outcome.FAILED, detail, reason="evidence-directions"),)
    checks = [
        _check(
            name,
            asked.get(header) is not None and asked.get(header) == answered.get(header),
            f"request and answer carry the same {what}",
            f"request and answer carry different values of {header}",
        )
        for name, header, what in _SAME_HEADERS
    ]
    service = _service_asked(asked.target)
    checks += [
        _check(
            "same-service",
            service is not None and service == _service_named(answered),
            f"the answer comes from the service that was asked, {service}",
            "the answer names another service than the request asked for",
        ),
        _check(
            "service-owner-signed",
            service is not None and answer.signer is not None and answer.signer.member == service.provider.member,
            "the answer is signed by the member that owns the service",
            "the answer is not signed by the member that owns the service",
        ),
        _check(
            "request-hash",
            answered.get("X-Road-Request-Hash") == request.request_hash,
            "the answer carries the hash of this very request",
            "the answer carries the hash of another request",
        ),
    ]
    return tuple(checks)


def check_message_id(message_id: str, request: Findings) -> Check:
    """Whether the evidence is of the call that was asked for; ``request`` must come from a valid verdict."""
    return _check(
        "message-id",
        request.head is not None and request.head.get("X-Road-Id") == message_id,
        "the evidence is of the message id that was asked for",
        "the evidence is of another message id than the one that was asked for",
    )


def check_handed_over(given: AnswerContent, request: Findings, answer: Findings) -> tuple[Check, ...]:
    """Whether the evidence is about what this process sent and what it was given."""
    asked, answered = request.head, answer.head
    if not isinstance(asked, RequestHead) or not isinstance(answered, AnswerHead):
        return ()
    sent_as_stamped = (asked.method, asked.target, request.body or b"") == (
        given.call.method,
        given.call.target,
        given.call.content or b"",
    )
    # An answer to HEAD has headers that speak of a body and none itself, in the evidence as on the wire.
    got_as_stamped = (answered.status, answer.body or b"") == (given.status_code, given.raw)
    return (
        _check(
            "sent-as-stamped",
            sent_as_stamped,
            "method, target and body in the evidence are those that were sent",
            "the evidence is about another method, target or body than was sent",
        ),
        _check(
            "handed-over-as-stamped",
            got_as_stamped and answered.get("Content-Type") == given.headers.get("Content-Type"),
            "status, content type and body that were handed over are those in the evidence",
            "what was handed over differs from the evidence in status, content type or body",
        ),
    )
