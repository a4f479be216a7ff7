"""The first tables. Follows nothing."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table, and let the database itself guard what must never go away."""
    _parties()
    _certificates()
    _publication()
    _guard("audit", "UPDATE")
    _guard("audit", "DELETE")
    _guard("certificate", "DELETE")


def downgrade() -> None:
    """Refuse: going back would mean to forget issued certificates."""
    raise NotImplementedError("the first tables are never removed")


def _parties() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_class", sa.String(255), nullable=False),
        sa.Column("code", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("suspended_at", MOMENT),
        sa.Column("suspension_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_member"),
        sa.UniqueConstraint("member_class", "code", name="uq_member_member_class_code"),
    )
    op.create_table(
        "subsystem",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_subsystem_member_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_subsystem"),
        sa.UniqueConstraint("member_id", "code", name="uq_subsystem_member_id_code"),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subsystem_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(255), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description_sha256", sa.String(64)),
        sa.ForeignKeyConstraint(["subsystem_id"], ["subsystem.id"], name="fk_service_subsystem_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_service"),
        sa.UniqueConstraint("subsystem_id", "code", name="uq_service_subsystem_id_code"),
    )
    op.create_table(
        "server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(255), nullable=False),
        sa.Column("address", sa.String(300), nullable=False),
        sa.Column("suspended_at", MOMENT),
        sa.Column("suspension_reason", sa.Text()),
        sa.ForeignKeyConstraint(["owner_id"], ["member.id"], name="fk_server_owner_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_server"),
        sa.UniqueConstraint("owner_id", "code", name="uq_server_owner_id_code"),
    )
    op.create_table(
        "server_client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server_id", sa.Integer(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("subsystem_id", sa.Integer()),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_server_client_server_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_server_client_member_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["subsystem_id"], ["subsystem.id"], name="fk_server_client_subsystem_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_server_client"),
        sa.UniqueConstraint("server_id", "client", name="uq_server_client_server_id_client"),
    )


def _certificates() -> None:
    op.create_table(
        "certificate",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("server", sa.Text()),
        sa.Column("member", sa.Text()),
        sa.Column("issuer", sa.String(64), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("revocation_reason", sa.String(32)),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_certificate"),
        sa.UniqueConstraint("issuer", "serial", name="uq_certificate_issuer_serial"),
    )
    for column in ("kind", "server", "member", "key_sha256"):
        op.create_index(f"ix_certificate_{column}", "certificate", [column])
    op.create_table(
        "trust_service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["certificate"], ["certificate.fingerprint"], name="fk_trust_service_certificate"),
        sa.PrimaryKeyConstraint("id", name="pk_trust_service"),
        sa.UniqueConstraint("kind", "address", "certificate", name="uq_trust_service_kind_address_certificate"),
    )


def _publication() -> None:
    op.create_table(
        "catalogue_version",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("container", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("published_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_catalogue_version"),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_revision_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )


def _guard(table: str, operation: str) -> None:
    """Make the database refuse `operation` on the rows of `table`, whoever asks for it."""
    name = f"{table}_refuses_{operation.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {operation} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} keeps its rows'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} keeps its rows'; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
