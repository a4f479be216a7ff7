"""The database: engines that keep what they were told to keep, and schema migrations that come with the package.

How a package gets its tables: a package `gateway` has a folder ``gateway/migrations`` with ``env.py``,
``script.py.mako`` and ``versions/`` (alembic's). Its ``env.py`` is

    from gateway.tables import metadata
    from service_runtime.database import run_migrations

    run_migrations(metadata)

`migrate(engine, "gateway")` brings a database up to date, `require_migrated(engine, "gateway", command)` is called by
every ``serve``. `schema_differences` tells in a test whether tables and migrations say the same.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import command as alembic_command
from alembic import context as alembic_context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from service_runtime.errors import DatabaseError

_BEGIN = "sqlite_begin"
_CONNECTION = "connection"
_ADVISORY_LOCK = 0x58616362  # any number that nothing else in the database uses


def open_engine(url: str, *, busy_timeout_seconds: float = 5.0, checkpoint_pages: int | None = None) -> Engine:
    """An engine for `url`: ``sqlite:///file`` or ``postgresql://…`` (which needs psycopg).

    SQLite: write-ahead log, ``synchronous=FULL`` (a commit is on disk when it returns), foreign keys enforced, waits up
    to `busy_timeout_seconds` for another writer, a new file has mode 0600, and every transaction is ``BEGIN IMMEDIATE``
    so that it cannot fail half-way because another one wrote (see `reading` for those that only read).
    `checkpoint_pages` sets ``wal_autocheckpoint``; 0 leaves checkpoints to the caller.

    Nothing is opened yet. Raises DatabaseError ``database-url`` or ``database-driver-missing``.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _url_error() from None
    if parsed.drivername == "sqlite":
        engine = sqlalchemy.create_engine(parsed)
        _prepare_sqlite(engine, busy_timeout_seconds, checkpoint_pages)
        return engine
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        try:
            return sqlalchemy.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        except (ModuleNotFoundError, NoSuchModuleError):
            raise DatabaseError(
                "database-driver-missing", "PostgreSQL needs the package psycopg.", "Install psycopg[binary]."
            ) from None
    raise _url_error()


def reading(engine: Engine) -> Engine:
    """The same engine and pool for transactions that only read: on SQLite they do not wait for a writer."""
    return engine.execution_options(**{_BEGIN: "DEFERRED"})


def migrate(engine: Engine, package: str) -> None:
    """Bring the database to the newest schema of `package`, all of it or nothing; safe when several processes do it.

    Raises DatabaseError ``database-unreachable``, ``database-newer`` or ``database-migration-failed``.
    """
    with _migrations_of(package) as config, _reported(engine):
        _refuse_newer(engine, config)
        with _without_foreign_keys(engine) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            config.attributes[_CONNECTION] = connection
            try:
                alembic_command.upgrade(config, "head")
            except (SQLAlchemyError, CommandError) as error:
                raise DatabaseError(
                    "database-migration-failed",
                    f"The database {_name(engine)} could not be migrated: {error}.",
                    "Nothing was changed. Report this with the software's version.",
                ) from error
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise DatabaseError(
                        "database-migration-failed",
                        f"The migration would leave {len(broken)} rows whose references lead nowhere.",
                        "Nothing was changed. Report this with the software's version.",
                    )


def require_migrated(engine: Engine, package: str, command: str) -> None:
    """Refuse a database whose schema is not the one of `package`; the error names `command`, which migrates it.

    Raises DatabaseError ``database-not-migrated``, ``database-newer`` or ``database-unreachable``.
    """
    with _migrations_of(package) as config, _reported(engine):
        database = engine.url.database
        missing = engine.dialect.name == "sqlite" and database not in (None, "", ":memory:") and not _is_file(database)
        current = set() if missing else _revisions(engine)
        _refuse_newer(engine, config, current)
        if current != set(ScriptDirectory.from_config(config).get_heads()):
            state = "is older than this software needs" if current else "has not been set up yet"
            raise DatabaseError(
                "database-not-migrated", f"The database {_name(engine)} {state}.", f"Back it up and run: {command}"
            )


def run_migrations(target_metadata: MetaData) -> None:
    """What a package's ``migrations/env.py`` does: run the migrations on the connection that `migrate` has opened."""
    connection: Connection = alembic_context.config.attributes[_CONNECTION]
    alembic_context.configure(
        connection=connection,
        target_metadata=target_metadata,
        # SQLite changes a table by copying it; the same migration works on both kinds of database.
        render_as_batch=True,
        # SQLite can undo schema changes too, as long as the driver begins transactions as open_engine makes it.
        transactional_ddl=True,
    )
    with alembic_context.begin_transaction():
        alembic_context.run_migrations()


def draft_migration(engine: Engine, package: str, message: str) -> None:
    """For developers: write a new migration into the source tree, from the differences between tables and `engine`."""
    with _migrations_of(package) as config, engine.begin() as connection:
        config.attributes[_CONNECTION] = connection
        alembic_command.revision(config, message, autogenerate=True)


def schema_differences(engine: Engine, metadata: MetaData) -> list[str]:
    """What the tables in `metadata` have and the migrated database lacks, or the reverse; empty when they agree."""
    with reading(engine).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _prepare_sqlite(engine: Engine, busy_timeout_seconds: float, checkpoint_pages: int | None) -> None:
    path = engine.url.database

    @event.listens_for(engine, "do_connect")
    def make_private_file(_dialect: Any, _record: Any, _arguments: Any, _options: Any) -> None:
        if path and path != ":memory:":
            # SQLite would make it readable as far as the umask lets; its -wal and -shm files follow this file's mode.
            # A file that is there must not be opened here: closing it again would drop the locks that this process's
            # other connections hold on it (POSIX), and another process would take away the write-ahead log in use.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin transactions by itself: it does so too late, and not for schema changes.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if checkpoint_pages is not None:
            connection.execute(f"PRAGMA wal_autocheckpoint = {int(checkpoint_pages)}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'IMMEDIATE')}")


@contextmanager
def _without_foreign_keys(engine: Engine) -> Iterator[Connection]:
    # SQLite copies and drops a table to change it; with the keys enforced that would delete what refers to it. The
    # switch works outside transactions only, so it goes to the driver's connection.
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        if connection.dialect.name != "sqlite":
            yield connection
            return
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield connection
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _migrations_of(package: str) -> Iterator[Config]:
    with as_file(files(package) / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config


@contextmanager
def _reported(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseError(
            "database-unreachable",
            f"The database {_name(engine)} cannot be used: {cause}.",
            "Check database.url, whether its folder or server is there, and its rights.",
        ) from error


def _revisions(engine: Engine) -> set[str]:
    with reading(engine).connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


def _refuse_newer(engine: Engine, config: Config, current: set[str] | None = None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if not (_revisions(engine) if current is None else current) <= known:
        raise DatabaseError(
            "database-newer",
            f"The database {_name(engine)} was set up by a newer version of this software.",
            "Install that version or a later one.",
        )


def _is_file(path: str | None) -> bool:
    return path is not None and Path(path).is_file()


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _url_error() -> DatabaseError:
    # The URL itself may hold a password, so it is not repeated.
    return DatabaseError(
        "database-url",
        "The database URL is neither SQLite's nor PostgreSQL's.",
        "Set database.url to sqlite:///file.db or postgresql://user@host/name.",
    )
