"""What the next catalogue says, read from the database."""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from central_registry.certificate_records import ISSUING_CA, ROOT
from central_registry.models import Certificate, Member, Server, Subsystem
from central_registry.settings import CatalogueSettings
from central_registry.trust_service_addresses import read_trust_services
from estamp import catalogue
from estamp.catalogue import Catalogue
from estamp.certificates import Kind
from estamp.identifiers import MemberId, ServerId
from service_runtime.trust_services import TrustServiceAddress

_REVOKED_KEPT_AFTER_EXPIRY = timedelta(days=1)


def build_catalogue(
    session: Session, instance: str, version: int, now: datetime, settings: CatalogueSettings
) -> Catalogue:
    """The catalogue of this version as of `now`.

    It lists every revoked certificate until a day after its expiry (from when no chain check accepts it, however the
    clocks differ), and of the servers' authentication certificates those that are neither revoked nor expired.
    """
    issued_at = now.replace(microsecond=0)
    members = session.scalars(
        select(Member)
        .order_by(Member.member_class, Member.code)
        .options(
            selectinload(Member.subsystems).selectinload(Subsystem.services),
            selectinload(Member.servers).selectinload(Server.clients),
        )
    ).all()
    authentication = _authentication_certificates(session, now)
    services = read_trust_services(session, now)
    authorities = session.scalars(
        select(Certificate)
        .where(Certificate.kind == ISSUING_CA, Certificate.revoked_at.is_(None), Certificate.expires_at > now)
        .order_by(Certificate.issued_at, Certificate.fingerprint)
    )
    revoked = session.scalars(
        select(Certificate.fingerprint).where(
            Certificate.revoked_at.is_not(None),
            Certificate.kind != ROOT,
            Certificate.expires_at > now - _REVOKED_KEPT_AFTER_EXPIRY,
        )
    )
    return Catalogue(
        instance=instance,
        version=version,
        issued_at=issued_at,
        expires_at=issued_at + timedelta(seconds=settings.lifetime_seconds),
        members=tuple(_member(instance, member) for member in members),
        servers=tuple(
            _server(instance, member, server, authentication) for member in members for server in member.servers
        ),
        certification_authorities=tuple(base64.b64encode(each.der).decode() for each in authorities),
        timestamp_authorities=_trust_services(services.timestamp_authorities),
        status_responders=_trust_services(services.status_responders),
        revoked_certificates=frozenset(revoked),
        minimum_software_version=settings.minimum_software_version,
    )


def _member(instance: str, member: Member) -> catalogue.Member:
    return catalogue.Member(
        id=str(MemberId(instance, member.member_class, member.code)),
        name=member.name,
        suspended=member.suspended_at is not None,
        subsystems=tuple(
            catalogue.Subsystem(
                code=subsystem.code,
                name=subsystem.name,
                services=tuple(
                    catalogue.Service(
                        code=service.code, title=service.title, description_sha256=service.description_sha256
                    )
                    for service in subsystem.services
                ),
            )
            for subsystem in member.subsystems
        ),
    )


def _server(instance: str, owner: Member, server: Server, authentication: dict[str, list[str]]) -> catalogue.Server:
    name = str(ServerId(instance, owner.member_class, owner.code, server.code))
    return catalogue.Server(
        id=name,
        address=server.address,
        authentication_certificates=tuple(authentication.get(name, ())),
        clients=tuple(sorted(hosted.client for hosted in server.clients)),
        suspended=server.suspended_at is not None,
    )


def _authentication_certificates(session: Session, now: datetime) -> dict[str, list[str]]:
    rows = session.execute(
        select(Certificate.server, Certificate.fingerprint)
        .where(Certificate.kind == Kind.AUTHENTICATION, Certificate.revoked_at.is_(None), Certificate.expires_at > now)
        .order_by(Certificate.issued_at, Certificate.fingerprint)
    )
    found: dict[str, list[str]] = {}
    for server, fingerprint in rows:
        found.setdefault(server or "", []).append(fingerprint)
    return found


def _trust_services(services: Sequence[TrustServiceAddress]) -> tuple[catalogue.TrustService, ...]:
    return tuple(
        catalogue.TrustService(
            address=each.address,
            certificate=base64.b64encode(each.certificate.public_bytes(Encoding.DER)).decode(),
        )
        for each in services
    )
