"""The registry's tables.

Two rules hold for every change: it is written by way of :mod:`central_registry.changes`, which adds the audit row and
advances the revision in the same transaction; and what was once issued or audited is never deleted.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets time zones, so they are checked on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime, turn any other into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every moment its time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of the registry's tables; constraints are named so that later migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Member(Base):
    """A member institution. Its instance is that of the registry."""

    __tablename__ = "member"
    __table_args__ = (UniqueConstraint("member_class", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_class: Mapped[str] = mapped_column(String(255))
    code: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspension_reason: Mapped[str | None] = mapped_column(Text)

    subsystems: Mapped[list["Subsystem"]] = relationship(
        back_populates="member", cascade="all, delete-orphan", order_by="Subsystem.code"
    )
    servers: Mapped[list["Server"]] = relationship(
        back_populates="owner", cascade="all, delete-orphan", order_by="Server.code"
    )


class Subsystem(Base):
    """A subsystem of a member: what asks and what offers services."""

    __tablename__ = "subsystem"
    __table_args__ = (UniqueConstraint("member_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255), default="")

    member: Mapped[Member] = relationship(back_populates="subsystems")
    services: Mapped[list["Service"]] = relationship(
        back_populates="subsystem", cascade="all, delete-orphan", order_by="Service.code"
    )


class Service(Base):
    """A service that a subsystem offers; `description_sha256` is the digest of its OpenAPI description, if any."""

    __tablename__ = "service"
    __table_args__ = (UniqueConstraint("subsystem_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subsystem_id: Mapped[int] = mapped_column(ForeignKey("subsystem.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(String(255), default="")
    description_sha256: Mapped[str | None] = mapped_column(String(64))

    subsystem: Mapped[Subsystem] = relationship(back_populates="services")


class Server(Base):
    """A security server, run by its owner; `address` is ``host:port`` of its port for peers."""

    __tablename__ = "server"
    __table_args__ = (UniqueConstraint("owner_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(300))
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspension_reason: Mapped[str | None] = mapped_column(Text)

    owner: Mapped[Member] = relationship(back_populates="servers")
    clients: Mapped[list["ServerClient"]] = relationship(back_populates="server", cascade="all, delete-orphan")


class ServerClient(Base):
    """That a server hosts a client: a member as such (no subsystem) or one of its subsystems."""

    __tablename__ = "server_client"
    __table_args__ = (UniqueConstraint("server_id", "client"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("server.id", ondelete="CASCADE"))
    # The identifier in text and the rows it names: the text is what the catalogue says and what must be unique
    # (SQL counts two NULL subsystems as different), the keys are what keeps a hosted client from vanishing.
    client: Mapped[str] = mapped_column(Text)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    subsystem_id: Mapped[int | None] = mapped_column(ForeignKey("subsystem.id", ondelete="CASCADE"))

    server: Mapped[Server] = relationship(back_populates="clients")


class Certificate(Base):
    """A certificate that this registry issued, from before it was handed out and for ever.

    `holder` is the subject alternative name URI: the one identity that the key may serve. `key_sha256` is the digest
    of its SubjectPublicKeyInfo, `issuer` the fingerprint of the issuing authority's certificate (its own for the root).
    """

    __tablename__ = "certificate"
    __table_args__ = (UniqueConstraint("issuer", "serial"),)

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    serial: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(32), index=True)
    holder: Mapped[str] = mapped_column(Text)
    server: Mapped[str | None] = mapped_column(Text, index=True)
    member: Mapped[str | None] = mapped_column(Text, index=True)
    issuer: Mapped[str] = mapped_column(String(64))
    key_sha256: Mapped[str] = mapped_column(String(64), index=True)
    der: Mapped[bytes] = mapped_column(LargeBinary)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revocation_reason: Mapped[str | None] = mapped_column(String(32))


class TrustService(Base):
    """Where a TSA or a status responder is reached, and the certificate it answers with; tried in `position` order."""

    __tablename__ = "trust_service"
    __table_args__ = (UniqueConstraint("kind", "address", "certificate"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    address: Mapped[str] = mapped_column(Text)
    certificate: Mapped[str] = mapped_column(ForeignKey("certificate.fingerprint"))
    position: Mapped[int]


class CatalogueVersion(Base):
    """A published catalogue: the stamped container, and the revision of the data that it says."""

    __tablename__ = "catalogue_version"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    container: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int]
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Revision(Base):
    """One row that counts the changes, so that a running registry notices those of another process."""

    __tablename__ = "revision"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]


class AuditEntry(Base):
    """Who changed what, when, from what to what. The database itself refuses to change or delete a row."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
