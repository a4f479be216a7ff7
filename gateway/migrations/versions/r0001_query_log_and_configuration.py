"""The first tables: the query log, refusals, services, access rights and information systems.

Follows: nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "entry",
        sa.Column("id", _ROW_NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("issue", sa.Text),
        sa.Column("represented_party", sa.Text),
        sa.Column("security_server", sa.Text, nullable=False),
        sa.Column("peer_server", sa.Text),
        sa.Column("signer_fingerprint", sa.Text, nullable=False),
        sa.Column("container", sa.LargeBinary, nullable=False),
        sa.Column("container_sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("status_code", sa.Integer),
        sa.Column("fault_type", sa.Text),
        sa.Column("fault_reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_entry"),
        sa.UniqueConstraint(
            "side",
            "client",
            "request_id",
            "direction",
            "instance",
            name="uq_entry_side_client_request_id_direction_instance",
        ),
        sa.CheckConstraint("side IN ('consumer', 'provider')", name=op.f("ck_entry_side")),
        sa.CheckConstraint("direction IN ('request', 'answer')", name=op.f("ck_entry_direction")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entry_side_client_message_id", "entry", ["side", "client", "message_id"])
    op.create_index("ix_entry_at", "entry", ["at"])
    op.create_table(
        "refusal",
        sa.Column("id", _ROW_NUMBER, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("client", sa.Text),
        sa.Column("service", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("peer_server", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("linked_entry", _ROW_NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_refusal"),
        sa.ForeignKeyConstraint(
            ["linked_entry"], ["entry.id"], name="fk_refusal_linked_entry_entry", ondelete="SET NULL"
        ),
        sa.CheckConstraint("side IN ('consumer', 'provider')", name=op.f("ck_refusal_side")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_refusal_at", "refusal", ["at"])
    op.create_table(
        "service",
        sa.Column("id", _ROW_NUMBER, nullable=False),
        sa.Column("subsystem", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("timeout_seconds", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_service"),
        sa.UniqueConstraint("subsystem", "code", name="uq_service_subsystem_code"),
        sa.CheckConstraint("type IN ('REST')", name=op.f("ck_service_type")),
    )
    op.create_table(
        "access_right",
        sa.Column("service_id", _ROW_NUMBER, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("service_id", "subject", name="pk_access_right"),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name="fk_access_right_service_id_service", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "information_system",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("certificate", sa.LargeBinary, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_information_system"),
    )
    op.create_table(
        "information_system_client",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "pattern", name="pk_information_system_client"),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["information_system.fingerprint"],
            name="fk_information_system_client_fingerprint_information_system",
            ondelete="CASCADE",
        ),
    )
    revision_table = op.create_table(
        "configuration_revision",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configuration_revision"),
        sa.CheckConstraint("id = 1", name=op.f("ck_configuration_revision_one_row")),
    )
    op.bulk_insert(revision_table, [{"id": 1, "revision": 0}])


def downgrade() -> None:
    # Going back would throw the query log away, which is evidence.
    raise NotImplementedError("the first migration cannot be undone")
