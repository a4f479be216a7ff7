"""Revoking certificates, and suspending members and servers."""

from datetime import datetime
from typing import Final

from cryptography import x509
from sqlalchemy.orm import Session

from central_registry.certificate_records import ISSUING_CA, ROOT, find_certificates
from central_registry.changes import Values, record_change, serialise
from central_registry.errors import RevocationError
from central_registry.models import Certificate, Member, Server

KEY_COMPROMISE: Final = x509.ReasonFlags.key_compromise.value
CESSATION: Final = x509.ReasonFlags.cessation_of_operation.value

REASONS: Final = tuple(
    flag.value
    for flag in (
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.ca_compromise,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.privilege_withdrawn,
    )
)
"""The reasons of RFC 5280, 5.3.1, that can be given.

Not certificateHold and removeFromCRL: what may come back is suspended, not revoked; nor aACompromise, as there are no
attribute certificates.
"""


def revoke(session: Session, name: str, reason: str, now: datetime) -> tuple[Certificate, bool]:
    """Revoke the certificate of this fingerprint or serial number; whether it was still unrevoked is told beside it.

    Revoking once more changes nothing, neither moment nor reason. The caller commits. Raises RevocationError:
    `unknown-reason`, `unknown-certificate`, `certificate-ambiguous`, `root-not-revocable`.
    """
    if reason not in REASONS:
        raise RevocationError("unknown-reason", f"{reason!r} is no reason.", f"Give one of: {', '.join(REASONS)}.")
    serialise(session)
    found = find_certificates(session, name)
    if not found:
        raise RevocationError(
            "unknown-certificate",
            f"This registry never issued a certificate {name}.",
            "Give its file, its serial number or its SHA-256 fingerprint in hexadecimal.",
        )
    if len(found) > 1:
        raise RevocationError(
            "certificate-ambiguous",
            f"{len(found)} certificates have the serial number {name}.",
            "Give the fingerprint.",
        )
    certificate = found[0]
    if certificate.kind == ROOT:
        raise RevocationError(
            "root-not-revocable",
            "Nothing above the root could say that it is revoked.",
            "If its key is lost, everybody must be given a new trust anchor.",
        )
    if certificate.revoked_at is not None:
        return certificate, False
    revoke_row(session, certificate, reason, now)
    return certificate, True


def revoke_row(session: Session, certificate: Certificate, reason: str, now: datetime) -> None:
    """Mark an unrevoked certificate as revoked from `now` (whole seconds, as status answers are)."""
    certificate.revoked_at = now.replace(microsecond=0)
    certificate.revocation_reason = reason
    record_change(
        session,
        "revoke-certificate",
        certificate.holder,
        {"fingerprint": certificate.fingerprint, "revoked": None},
        {"fingerprint": certificate.fingerprint, "revoked": certificate.revoked_at.isoformat(), "reason": reason},
    )


def breaks_the_instance(certificate: Certificate) -> bool:
    """Whether nothing in the instance will be believed once this certificate is revoked."""
    return certificate.kind in (ISSUING_CA, "catalogue-signer")


def suspend(session: Session, party: Member | Server, subject: str, reason: str, now: datetime) -> bool:
    """Suspend a member or server; False when it was suspended already (which changes nothing). The caller commits."""
    serialise(session)
    session.refresh(party)
    if party.suspended_at is not None:
        return False
    before = _suspension(party)
    party.suspended_at, party.suspension_reason = now, reason
    record_change(session, "suspend", subject, before, _suspension(party))
    return True


def unsuspend(session: Session, party: Member | Server, subject: str) -> bool:
    """End a suspension; False when there was none. The caller commits."""
    serialise(session)
    session.refresh(party)
    if party.suspended_at is None:
        return False
    before = _suspension(party)
    party.suspended_at, party.suspension_reason = None, None
    record_change(session, "unsuspend", subject, before, _suspension(party))
    return True


def _suspension(party: Member | Server) -> Values:
    return {
        "suspended": party.suspended_at.isoformat() if party.suspended_at else None,
        "reason": party.suspension_reason,
    }
