"""What a verification found: every check by name, with its outcome, and what was not checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from estamp.certificates import SignerName, fingerprint
from estamp.message import AnswerHead, Direction, RequestHead, request_hash


class Outcome(StrEnum):
    """How one check came out. A check is not made when one before it failed, or what it needs was not at hand."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its stable name, its outcome, for a failure the ``reason``, and a sentence for people."""

    name: str
    outcome: Outcome
    detail: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was read from a container, as far as the checks got. Only of a valid verdict may it be relied on."""

    direction: Direction | None = None
    head: RequestHead | AnswerHead | None = None
    head_bytes: bytes = b""
    body: bytes | None = None
    signer: SignerName | None = None
    certificate: x509.Certificate | None = None
    signing_time: datetime | None = None
    timestamp_time: datetime | None = None
    timestamp_certificate: x509.Certificate | None = None
    status_produced_at: datetime | None = None
    status_responder: x509.Certificate | None = None

    @property
    def request_hash(self) -> str:
        """X-Road's hash of this message, as its answer must carry it."""
        return request_hash(self.head_bytes, self.body)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    ``reason`` is the code of the first check that failed, None when all held. ``notes`` are stable codes of
    circumstances that do not refuse an e-stamp but that a reader should know (``status-before-timestamp``).
    """

    checks: tuple[Check, ...]
    findings: Findings = field(default_factory=Findings)
    notes: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether no check failed. What was not checked for want of a catalogue or a clock is listed as such."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)

    @property
    def failure(self) -> Check | None:
        """The check that failed, or None."""
        return next((check for check in self.checks if check.outcome is Outcome.FAILED), None)

    @property
    def reason(self) -> str | None:
        """The stable code of the refusal, or None."""
        failure = self.failure
        return failure.reason if failure else None

    def to_json(self) -> Mapping[str, object]:
        """The verdict as JSON-ready values, for ``--json`` and for logs; no body."""
        found = self.findings
        return {
            "valid": self.valid,
            "reason": self.reason,
            "direction": found.direction,
            "signer": None
            if found.signer is None
            else {"member": str(found.signer.member), "server": str(found.signer.server)},
            "signing_certificate": None if found.certificate is None else fingerprint(found.certificate),
            "signing_time": _iso(found.signing_time),
            "timestamp": _iso(found.timestamp_time),
            "timestamp_authority": None
            if found.timestamp_certificate is None
            else found.timestamp_certificate.subject.rfc4514_string(),
            "status_produced_at": _iso(found.status_produced_at),
            "notes": list(self.notes),
            "checks": [
                {"name": check.name, "outcome": check.outcome, "reason": check.reason, "detail": check.detail}
                for check in self.checks
            ],
        }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
