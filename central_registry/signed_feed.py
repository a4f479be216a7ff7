"""The status feed: everything that was issued and what of it is revoked, signed for the status responder.

It has nothing to do with stamping, so it is there from the start: the responder needs it before it can answer for the
catalogue signer, and only then is there a first catalogue.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_registry.certificate_records import ISSUING_CA, ROOT
from central_registry.models import Certificate, Revision
from estamp.certificates import load_certificate
from estamp.status_feed import IssuerStatus, RevokedCertificate, StatusFeed, sign_feed
from service_runtime.database import reading

SIGNED_ANEW_AFTER = 1.0
"""Seconds for which an unchanged feed is served as it is; older than that, it is signed with the present time."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed feed as it is served (DSSE, JSON), and the version that stands in it."""

    version: int
    envelope: bytes


class SignedFeed:
    """Makes and keeps the newest signed feed. Safe to be asked by several threads."""

    def __init__(
        self,
        engine: Engine,
        instance: str,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = reading(engine)
        self._instance = instance
        self._key = key
        self._certificate = certificate
        self._clock = clock
        self._lock = threading.Lock()
        self._issuers: tuple[IssuerStatus, ...] = ()
        self._signed = Envelope(0, b"")
        self._signed_at = float("-inf")

    def newest(self) -> Envelope:
        """The feed as the database is now: its version is the revision, its `produced_at` at most a second old."""
        with self._lock:
            with Session(self._engine) as session:
                revision = session.scalars(select(Revision.number)).one()
                changed = revision != self._signed.version
                if changed:
                    self._issuers = read_issuers(session)
            if changed or time.monotonic() - self._signed_at >= SIGNED_ANEW_AFTER:
                self._signed_at = time.monotonic()
                feed = StatusFeed(
                    instance=self._instance, version=revision, produced_at=self._clock(), issuers=self._issuers
                )
                self._signed = Envelope(revision, sign_feed(feed, self._key, self._certificate))
            return self._signed


def read_issuers(session: Session) -> tuple[IssuerStatus, ...]:
    """What each authority has issued and revoked, always in the same order. The root's own certificate is not in it."""
    authorities = session.scalars(
        select(Certificate).where(Certificate.kind.in_((ROOT, ISSUING_CA))).order_by(Certificate.fingerprint)
    )
    return tuple(_issuer(session, authority) for authority in authorities)


def _issuer(session: Session, authority: Certificate) -> IssuerStatus:
    rows = session.execute(
        select(Certificate.serial, Certificate.revoked_at, Certificate.revocation_reason)
        .where(Certificate.issuer == authority.fingerprint, Certificate.kind != ROOT)
        .order_by(Certificate.serial)
    ).all()
    certificate = load_certificate(authority.der)
    return IssuerStatus.of(
        certificate,
        [int(serial, 16) for serial, _, _ in rows],
        [
            RevokedCertificate(serial=serial, at=revoked_at, reason=reason)
            for serial, revoked_at, reason in rows
            if revoked_at is not None
        ],
    )
