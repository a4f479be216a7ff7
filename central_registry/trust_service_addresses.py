"""The TSAs and status responders of the instance: where they are reached, and what they answer with."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from central_registry.changes import record_change, serialise
from central_registry.models import Certificate, TrustService
from central_registry.settings import AddressSettings
from estamp.certificates import Kind, load_certificate
from service_runtime.trust_services import TrustServiceAddress, TrustServices

_Row = tuple[str, str]


def set_addresses(session: Session, settings: AddressSettings, now: datetime) -> bool:
    """Make the database say the addresses of the settings, for each live certificate; whether that changed anything.

    The caller commits.
    """
    serialise(session)
    changed = _set(session, Kind.TSA, settings.timestamp_authorities, now)
    return _set(session, Kind.OCSP, settings.status_responders, now) or changed


def read_trust_services(session: Session, now: datetime) -> TrustServices:
    """What to ask for timestamps and status answers, in order; no certificate in it is revoked or expired at `now`."""
    return TrustServices(_read(session, Kind.TSA, now), _read(session, Kind.OCSP, now))


def _set(session: Session, kind: Kind, addresses: Sequence[str], now: datetime) -> bool:
    certificates = session.scalars(
        select(Certificate.fingerprint)
        .where(Certificate.kind == kind, Certificate.revoked_at.is_(None), Certificate.expires_at > now)
        .order_by(Certificate.issued_at, Certificate.fingerprint)
    ).all()
    wanted: list[_Row] = [(address, certificate) for address in addresses for certificate in certificates]
    present = _rows(session, kind)
    if wanted == present:
        return False
    session.execute(delete(TrustService).where(TrustService.kind == kind))
    session.add_all(
        TrustService(kind=kind, address=address, certificate=certificate, position=position)
        for position, (address, certificate) in enumerate(wanted)
    )
    record_change(session, "set-addresses", kind, _told(present), _told(wanted))
    return True


def _rows(session: Session, kind: Kind) -> list[_Row]:
    rows = session.scalars(select(TrustService).where(TrustService.kind == kind).order_by(TrustService.position))
    return [(row.address, row.certificate) for row in rows]


def _told(rows: Sequence[_Row]) -> dict[str, object]:
    return {"services": [{"address": address, "certificate": certificate} for address, certificate in rows]}


def _read(session: Session, kind: Kind, now: datetime) -> list[TrustServiceAddress]:
    rows = session.execute(
        select(TrustService.address, Certificate.der)
        .join(Certificate, Certificate.fingerprint == TrustService.certificate)
        .where(TrustService.kind == kind, Certificate.revoked_at.is_(None), Certificate.expires_at > now)
        .order_by(TrustService.position)
    )
    return [TrustServiceAddress(address, load_certificate(der)) for address, der in rows]
