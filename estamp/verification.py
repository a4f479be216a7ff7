"""Verifying an e-stamp: the steps in their order, each a named check of the verdict.

A step raises an EstampError to refuse; the steps after it are then listed as not checked. Evidence is judged by what
the container holds, at the time of its timestamp. Live traffic is judged also by the receiver's clock and by its
newest catalogue, whatever the container says (docs/reference/wire.md, "Verification").
"""

from collections.abc import Callable, Sequence
from typing import Final

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.certificate_memory import signer_of
from estamp.checks_content import (
    check_catalogue_entries,
    check_container,
    check_content,
    check_head,
    check_manifest,
    check_message_entries,
    check_signature_document,
)
from estamp.checks_signer import (
    check_catalogue_body,
    check_catalogue_certificate,
    check_signature_value,
    check_signer_named,
    check_signing_certificate,
    check_standing,
)
from estamp.checks_time import (
    STATUS_BEFORE_TIMESTAMP,
    check_chain,
    check_clock,
    check_eight_hours,
    check_past,
    check_signing_time,
    check_status,
    check_status_responder,
    check_timestamp,
    check_timestamp_authority,
)
from estamp.errors import CertificateError, EstampError
from estamp.message import BODY_ENTRY
from estamp.reading import DEFAULT_TOLERANCE, NotChecked, Policy, Reading
from estamp.verdict import Check, Findings, Outcome, Verdict

__all__ = ["DEFAULT_TOLERANCE", "STATUS_BEFORE_TIMESTAMP", "Policy", "verify", "verify_catalogue"]

Step = tuple[str, Callable[[Reading], str]]


def verify(container: bytes, anchor: TrustAnchor, policy: Policy, catalogue: Catalogue | None = None) -> Verdict:
    """Verify a message: any container of the wire, request or answer.

    Needs only the container, the anchor and a time; a catalogue adds checks. Never raises for what is in the
    container: the verdict says it.
    """
    return _run(_MESSAGE_STEPS, Reading(container, anchor, policy, catalogue))


def verify_catalogue(container: bytes, anchor: TrustAnchor, policy: Policy) -> tuple[Verdict, Catalogue | None]:
    """Verify a published catalogue and open it; the catalogue is None unless the verdict is valid.

    Its expiry is judged at ``policy.at`` when the policy is live. That it is not older than the one at hand is for
    the caller to see: only it knows which that is.
    """
    reading = Reading(container, anchor, policy, None)
    verdict = _run(_CATALOGUE_STEPS, reading)
    return verdict, reading.catalogue if verdict.valid else None


def _run(steps: Sequence[Step], reading: Reading) -> Verdict:
    checks: list[Check] = []
    failed = False
    for name, step in steps:
        if failed:
            checks.append(Check(name, Outcome.NOT_CHECKED, "Not reached: an earlier check failed."))
            continue
        try:
            checks.append(Check(name, Outcome.PASSED, step(reading)))
        except NotChecked as missing:
            checks.append(Check(name, Outcome.NOT_CHECKED, str(missing)))
        except EstampError as error:
            checks.append(Check(name, Outcome.FAILED, error.message, error.reason))
            failed = True
    return Verdict(tuple(checks), _findings(reading), tuple(reading.notes))


def _findings(reading: Reading) -> Findings:
    fields, timestamp, status = reading.fields, reading.timestamp, reading.status
    signer = None
    if fields is not None and reading.direction is not None:
        try:
            signer = signer_of(fields.certificate)
        except CertificateError:
            signer = None
    return Findings(
        direction=reading.direction,
        head=reading.head,
        head_bytes=reading.signed[0][1] if reading.direction else b"",
        body=reading.files.get(BODY_ENTRY),
        signer=signer,
        certificate=fields.certificate if fields else None,
        signing_time=fields.signing_time if fields else None,
        timestamp_time=timestamp.time if timestamp else None,
        timestamp_certificate=timestamp.certificate if timestamp else None,
        status_produced_at=status.produced_at if status else None,
        status_responder=status.responder if status else None,
    )


_OPENING: Final[tuple[Step, ...]] = (
    ("signature-document", check_signature_document),
    ("manifest", check_manifest),
    ("content", check_content),
)
_TIME: Final[tuple[Step, ...]] = (
    ("signature-value", check_signature_value),
    ("timestamp", check_timestamp),
    ("timestamp-authority", check_timestamp_authority),
    ("signing-time", check_signing_time),
)
_STATUS: Final[tuple[Step, ...]] = (
    ("certificate-chain", check_chain),
    ("status", check_status),
    ("status-responder", check_status_responder),
    ("eight-hours", check_eight_hours),
    ("past", check_past),
)
_MESSAGE_STEPS: Final[tuple[Step, ...]] = (
    ("container", check_container),
    ("entries", check_message_entries),
    *_OPENING,
    ("head", check_head),
    ("signing-certificate", check_signing_certificate),
    ("signer-named", check_signer_named),
    *_TIME,
    ("clock", check_clock),
    *_STATUS,
    ("standing", check_standing),
)
_CATALOGUE_STEPS: Final[tuple[Step, ...]] = (
    ("container", check_container),
    ("entries", check_catalogue_entries),
    *_OPENING,
    ("catalogue-signer", check_catalogue_certificate),
    *_TIME,
    *_STATUS,
    ("catalogue", check_catalogue_body),
)
