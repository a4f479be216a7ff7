"""What the database knows about issued certificates: entering one, and finding it again."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from central_registry.certificate_profiles import PublicKey
from central_registry.changes import record_change
from central_registry.models import Certificate
from estamp.certificates import fingerprint
from estamp.identifiers import MemberId, ServerId
from estamp.status_feed import serial_text

ROOT = "root"
ISSUING_CA = "issuing-ca"
"""The kinds of the two authorities; the others are those of :class:`estamp.certificates.Kind`."""


def key_digest(key: PublicKey) -> str:
    """The lower-case hexadecimal SHA-256 of the key's SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def record_certificate(
    session: Session,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    kind: str,
    now: datetime,
    *,
    key: PublicKey,
    server: ServerId | None = None,
    member: MemberId | None = None,
) -> Certificate:
    """Enter a certificate that was just made. The caller commits before it hands the certificate to anybody."""
    row = Certificate(
        fingerprint=fingerprint(certificate),
        serial=serial_text(certificate.serial_number),
        kind=kind,
        holder=_holder(certificate),
        server=str(server) if server else None,
        member=str(member) if member else None,
        issuer=fingerprint(issuer),
        key_sha256=key_digest(key),
        der=certificate.public_bytes(Encoding.DER),
        issued_at=now,
        expires_at=certificate.not_valid_after_utc,
    )
    session.add(row)
    record_change(
        session,
        "issue-certificate",
        row.holder,
        None,
        {"fingerprint": row.fingerprint, "serial": row.serial, "kind": kind, "expires": row.expires_at.isoformat()},
    )
    return row


def find_certificates(session: Session, name: str) -> Sequence[Certificate]:
    """The certificates of this fingerprint or serial number (hexadecimal, with or without colons)."""
    digits = name.replace(":", "").lower().removeprefix("0x")
    serial = digits.lstrip("0")
    return session.scalars(
        select(Certificate).where(or_(Certificate.fingerprint == digits, Certificate.serial == serial))
    ).all()


def certificates_of_key(session: Session, key: PublicKey) -> Sequence[Certificate]:
    """Every certificate ever issued for this key."""
    return session.scalars(select(Certificate).where(Certificate.key_sha256 == key_digest(key))).all()


def _holder(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return certificate.subject.rfc4514_string()
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
