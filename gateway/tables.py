"""The gateway's tables: the query log, and what the administrator configured.

They are plain SQLAlchemy Core, the same for SQLite and PostgreSQL. Identifiers stand in their text form
(:mod:`estamp.identifiers`), of which there is exactly one for each identifier, so equality in SQL is equality.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcMicroseconds(TypeDecorator[datetime]):
    """An instant, kept as whole microseconds since 1970 in UTC.

    An integer means the same in every database; SQLite has no type for instants, and PostgreSQL's would convert to
    whatever time zone the session has.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn an aware datetime into microseconds; a naive one raises TypeError."""
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn microseconds into an aware datetime in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData(naming_convention=_NAMES)

_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

entry = Table(
    "entry",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("instance", Text, nullable=False),
    Column("side", Text, CheckConstraint("side IN ('consumer', 'provider')", "side"), nullable=False),
    Column("direction", Text, CheckConstraint("direction IN ('request', 'answer')", "direction"), nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("user_id", Text),
    Column("issue", Text),
    Column("represented_party", Text),
    Column("security_server", Text, nullable=False),
    Column("peer_server", Text),
    Column("signer_fingerprint", Text, nullable=False),
    Column("container", LargeBinary, nullable=False),
    Column("container_sha256", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status_code", Integer),
    Column("fault_type", Text),
    Column("fault_reason", Text),
    # Unique in any order; in this one it also finds a request id without knowing the instance.
    UniqueConstraint("side", "client", "request_id", "direction", "instance"),
    Index(None, "side", "client", "message_id"),
    Index(None, "at"),
    # A row's number appears in faults and reports: it must never come to mean another row, whatever is removed.
    sqlite_autoincrement=True,
)
"""One stamped message each: what was sent or accepted, whole, with the columns that one searches by.

``container`` is the ASiC-E container as it travelled (``size`` bytes, ``container_sha256`` in lower-case hex).
``security_server`` is this gateway, ``peer_server`` the other one; ``signer_fingerprint`` is the SHA-256 of the signing
certificate. ``status_code``, ``fault_type`` and ``fault_reason`` are set on answers only.
"""

refusal = Table(
    "refusal",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True),
    Column("at", UtcMicroseconds, nullable=False),
    Column("side", Text, CheckConstraint("side IN ('consumer', 'provider')", "side"), nullable=False),
    Column("place", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("client", Text),
    Column("service", Text),
    Column("message_id", Text),
    Column("request_id", Text),
    Column("peer_server", Text),
    Column("digest", Text),
    Column("detail", Text, nullable=False),
    Column("linked_entry", _ROW_NUMBER, ForeignKey("entry.id", ondelete="SET NULL")),
    Index(None, "at"),
    sqlite_autoincrement=True,
)
"""What the gateway turned away, without a stamp and without the message.

``client``, ``service``, ``message_id`` and ``request_id`` are what the message claimed; nothing confirms them unless
``linked_entry`` names the entry of a verified request. ``digest`` is the SHA-256 (hex) of what was refused.
"""

service = Table(
    "service",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True),
    Column("subsystem", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("type", Text, CheckConstraint("type IN ('REST')", "type"), nullable=False),
    Column("title", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("timeout_seconds", Float(53), nullable=False),
    UniqueConstraint("subsystem", "code"),
)
"""What this gateway offers for its members: a subsystem's service code, and where it really lives."""

access_right = Table(
    "access_right",
    metadata,
    Column("service_id", _ROW_NUMBER, ForeignKey("service.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),
)
"""Which client may call which service; what is not here is denied."""

information_system = Table(
    "information_system",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("title", Text, nullable=False),
)
"""A member's own system that calls through this gateway over mTLS, known by its certificate (DER)."""

information_system_client = Table(
    "information_system_client",
    metadata,
    Column("fingerprint", Text, ForeignKey("information_system.fingerprint", ondelete="CASCADE"), primary_key=True),
    Column("pattern", Text, primary_key=True),
)
"""For which clients an information system may speak: a client's identifier, or ``instance/class/member/*``."""

configuration_revision = Table(
    "configuration_revision",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", "one_row"), primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False),
)
"""One row whose number grows with every change of the configuration, in the same transaction as the change."""
