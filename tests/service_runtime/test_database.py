"""Engines and migrations on real SQLite files, with a package whose migrations are made here."""

import importlib
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine, text

from service_runtime.database import migrate, open_engine, reading, require_migrated, schema_differences
from service_runtime.errors import DatabaseError

COMMAND = "xacbe sample migrate --config sample.toml"

TABLES = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table
metadata = MetaData()
Table("member", metadata, Column("id", Integer, primary_key=True), Column("name", String(50), nullable=False))
Table("server", metadata, Column("id", Integer, primary_key=True),
      Column("member_id", ForeignKey("member.id", ondelete="CASCADE"), nullable=False))
"""

ENV = """
from {package}.tables import metadata
from service_runtime.database import run_migrations

run_migrations(metadata)
"""

FIRST = """
import sqlalchemy as sa
from alembic import op
revision = "0001"
down_revision = None

def upgrade():
    op.create_table("member", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20)))
    op.create_table("server", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("member_id", sa.Integer, sa.ForeignKey("member.id", ondelete="CASCADE"), nullable=False))
"""

SECOND = """
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade():
    with op.batch_alter_table("member") as table:
        table.alter_column("name", type_=sa.String(50), nullable=False)
"""

BROKEN = """
from alembic import op
revision = "0003"
down_revision = "0002"

def upgrade():
    op.execute("CREATE TABLE half (id INTEGER)")
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


class Package:
    """A package with migrations, importable while the test runs."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.versions = folder / name / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / "tables.py").write_text(TABLES)
        (folder / name / "migrations" / "env.py").write_text(ENV.format(package=name))

    def add(self, number: str, source: str) -> None:
        (self.versions / f"{number}.py").write_text(source)

    def remove(self, number: str) -> None:
        (self.versions / f"{number}.py").unlink()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Package:
    # A per cent sign in a path is special to alembic's configuration.
    folder = tmp_path / "with % sign"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    made = Package(folder, f"sample_{abs(hash(request.node.name))}")
    made.add("0001", FIRST)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path}/sample.db", busy_timeout_seconds=2.0)


def require(engine: Engine, package: str) -> None:
    require_migrated(engine, package, COMMAND)


def test_sqlite_is_durable_strict_and_private(engine: Engine, tmp_path: Path) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 2000}
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER)"))
        for name, value in pragmas.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value
        for path in tmp_path.glob("sample.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    manual = open_engine(f"sqlite:///{tmp_path}/sample.db", checkpoint_pages=0)
    with manual.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0


def test_writers_wait_for_each_other_and_readers_do_not(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER)"))
    results: list[str] = []

    def write() -> None:
        with engine.begin() as connection:
            # Without BEGIN IMMEDIATE, reading before writing would fail here with "database is locked".
            connection.execute(text("SELECT count(*) FROM t"))
            connection.execute(text("INSERT INTO t VALUES (2)"))
            results.append("written")

    with engine.begin() as first:
        first.execute(text("INSERT INTO t VALUES (1)"))
        writer = threading.Thread(target=write)
        writer.start()
        begun = time.monotonic()
        with reading(engine).connect() as reader:
            assert reader.execute(text("SELECT count(*) FROM t")).scalar() == 0
        assert time.monotonic() - begun < 1
        time.sleep(0.2)
        assert results == []
    writer.join(5)
    assert results == ["written"]
    with reading(engine).connect() as reader:
        assert reader.execute(text("SELECT count(*) FROM t")).scalar() == 2


def test_a_transaction_is_undone_whole_also_its_schema(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("CREATE TABLE t (id INTEGER)"))
        transaction.rollback()
    assert sqlalchemy.inspect(reading(engine)).get_table_names() == []


def test_migrating_and_requiring_it(engine: Engine, package: Package, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as missing:
        require_migrated(engine, package.name, COMMAND)
    assert missing.value.reason == "database-not-migrated"
    assert COMMAND in missing.value.advice
    assert not (tmp_path / "sample.db").exists(), "asking must not make a database"

    migrate(engine, package.name)
    require_migrated(engine, package.name, COMMAND)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO member VALUES (1, 'a')"))
        connection.execute(text("INSERT INTO server VALUES (1, 1)"))

    package.add("0002", SECOND)
    with pytest.raises(DatabaseError) as older:
        require_migrated(engine, package.name, COMMAND)
    assert older.value.reason == "database-not-migrated"
    assert "older" in older.value.message

    migrate(engine, package.name)
    migrate(engine, package.name)
    require_migrated(engine, package.name, COMMAND)
    with engine.begin() as connection:
        # Changing `member` copies and drops it; what refers to it must survive that.
        assert connection.execute(text("SELECT count(*) FROM server")).scalar() == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1

    package.remove("0002")
    for ask in (migrate, require):
        with pytest.raises(DatabaseError) as newer:
            ask(engine, package.name)
        assert newer.value.reason == "database-newer"


def test_a_failing_migration_leaves_everything_as_it_was(engine: Engine, package: Package) -> None:
    package.add("0002", SECOND)
    migrate(engine, package.name)
    package.add("0003", BROKEN)
    with pytest.raises(DatabaseError) as caught:
        migrate(engine, package.name)
    assert caught.value.reason == "database-migration-failed"
    assert "nowhere" in caught.value.message
    assert "half" not in sqlalchemy.inspect(reading(engine)).get_table_names()
    package.remove("0003")
    require_migrated(engine, package.name, COMMAND)


def test_a_database_and_its_tables_are_compared(engine: Engine, package: Package) -> None:
    migrate(engine, package.name)
    metadata = importlib.import_module(f"{package.name}.tables").metadata
    assert any("name" in difference for difference in schema_differences(engine, metadata))
    package.add("0002", SECOND)
    migrate(engine, package.name)
    assert schema_differences(engine, metadata) == []


def test_several_processes_may_migrate_at_once(package: Package, tmp_path: Path, project_root: Path) -> None:
    package.add("0002", SECOND)
    program = (
        f"import sys; sys.path[:0] = [{str(package.versions.parents[2])!r}, {str(project_root)!r}]\n"
        "from service_runtime.database import migrate, open_engine\n"
        f"migrate(open_engine('sqlite:///{tmp_path}/shared.db'), {package.name!r})\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    require_migrated(open_engine(f"sqlite:///{tmp_path}/shared.db"), package.name, COMMAND)


def test_databases_that_cannot_be_used(tmp_path: Path, package: Package) -> None:
    absent = open_engine(f"sqlite:///{tmp_path}/absent/sample.db")
    with pytest.raises(DatabaseError) as caught:
        migrate(absent, package.name)
    assert caught.value.reason == "database-unreachable"
    assert "absent" in caught.value.message
    (tmp_path / "other.db").write_bytes(b"this is no database, whatever its name says" * 100)
    for ask in (migrate, require):
        with pytest.raises(DatabaseError) as foreign:
            ask(open_engine(f"sqlite:///{tmp_path}/other.db"), package.name)
        assert foreign.value.reason == "database-unreachable"


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", ""])
def test_other_databases_are_refused_without_showing_the_url(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_engine(url)
    assert caught.value.reason == "database-url"
    assert "hunter2" not in str(caught.value)


def test_a_locked_database_is_waited_for_only_so_long(engine: Engine, package: Package, tmp_path: Path) -> None:
    migrate(engine, package.name)
    holder = sqlite3.connect(tmp_path / "sample.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    impatient = open_engine(f"sqlite:///{tmp_path}/sample.db", busy_timeout_seconds=0.1)
    try:
        require_migrated(impatient, package.name, COMMAND)
        with pytest.raises(DatabaseError) as caught:
            migrate(impatient, package.name)
    finally:
        holder.close()
    assert caught.value.reason == "database-unreachable"
    assert "locked" in caught.value.message
