"""The log writer's own connection: durable commits, and on SQLite no checkpoint in the middle of a commit."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.errors import QueryLogError

_SYNCHRONOUS_FULL = 2
_DURABLE_ON_POSTGRESQL = ("on", "remote_apply")


class LogConnection:
    """One connection, opened again after an error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None
        self.checkpoint_wanted = False
        """Set by the checkpointer's thread when it cannot keep up with the writer."""

    def open(self) -> Connection:
        """The connection, opened if need be.

        Raises QueryLogError ``log-not-durable`` when the database does not sync its commits to disk,
        ``log-unavailable`` when its file is another one than at first, and what SQLAlchemy raises.
        """
        self._require_same_file()
        if self._connection is None:
            connection = self._engine.connect()
            try:
                with connection.begin():
                    _require_durable(connection)
                if connection.dialect.name == "sqlite":
                    # Copying the write-ahead log into the database takes many milliseconds; log_checkpoints does it.
                    _driver(connection).execute("PRAGMA wal_autocheckpoint = 0")
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._file = self._file or _identity(self._engine)
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; durable when this ends without an error. Raises what `open` raises."""
        connection = self.open()
        with connection.begin():
            yield connection

    def checkpoint_if_wanted(self) -> None:
        """Copy what the checkpointer left of the write-ahead log, so that the next commit starts it over."""
        if self.checkpoint_wanted and self._connection is not None:
            self.checkpoint_wanted = False
            # A checkpoint that fails costs nothing but room; the next one makes up for it.
            with suppress(sqlite3.Error):
                _driver(self._connection).execute("PRAGMA wal_checkpoint(PASSIVE)")

    def discard(self) -> None:
        """Drop the connection after an error, so that the next transaction opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):
                connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Close the connection for good."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _require_same_file(self) -> None:
        # Commits to a file that was unlinked succeed, and are lost.
        if self._file is not None and _identity(self._engine) != self._file:
            raise QueryLogError(
                "log-unavailable",
                "The database file was removed or replaced while the gateway was running.",
                "Put the file back, or restart the gateway if the new file is meant.",
            )


def _identity(engine: Engine) -> tuple[int, int] | None:
    """Device and inode of an SQLite file; None when there is no such file, or for another database."""
    path = sqlite_file(engine)
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status else None


def _driver(connection: Connection) -> Any:
    # Checkpoints and their setting work outside transactions only, and SQLAlchemy would begin one.
    return connection.connection.dbapi_connection


def sqlite_file(engine: Engine) -> Path | None:
    """The file of an SQLite database, None for another database.

    Raises QueryLogError (``log-not-durable``) for one that lives in memory.
    """
    if engine.dialect.name != "sqlite":
        return None
    if engine.url.database in (None, "", ":memory:"):
        raise QueryLogError(
            "log-not-durable", "A query log in memory is gone when the process ends.", "Name a file in database.url."
        )
    return Path(str(engine.url.database))


def _require_durable(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        if synchronous < _SYNCHRONOUS_FULL or journal.lower() in ("off", "memory"):
            raise QueryLogError(
                "log-not-durable",
                f"The database does not sync its commits (synchronous={synchronous}, journal_mode={journal}).",
                "Remove the options that the database's address sets.",
            )
    elif connection.dialect.name == "postgresql":
        commit = str(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())
        fsync = str(connection.exec_driver_sql("SHOW fsync").scalar_one())
        if commit not in _DURABLE_ON_POSTGRESQL or fsync != "on":
            raise QueryLogError(
                "log-not-durable",
                f"The database does not sync its commits (synchronous_commit={commit}, fsync={fsync}).",
                "Set both to on for the gateway's database and role.",
            )
