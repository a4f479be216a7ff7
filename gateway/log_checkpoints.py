"""Copies SQLite's write-ahead log into the database file beside the writer, not in its way.

SQLite would do it within some unlucky commit, which then takes ten times as long. A passive checkpoint in a thread of
its own blocks nobody, but never quite catches up with a busy writer, and the log is started over only when everything
in it was copied. So when the log has grown large, the writer is asked to copy the short rest between two commits.
"""

import sqlite3
import threading
from contextlib import closing

import structlog
from sqlalchemy import Engine

from gateway.log_writer import LogWriter

_PAUSE_SECONDS = 0.1
"""Short, so that each pass has little to copy: a long one keeps the disk from the writer's own syncs."""
_LARGE_FRAMES = 4096
"""With pages of 4 KiB: 16 MiB."""

_log = structlog.get_logger(__name__)


class Checkpointer:
    """The thread that checkpoints the database of `engine`; `writer` is asked for help when it falls behind."""

    def __init__(self, engine: Engine, writer: LogWriter) -> None:
        self._engine = engine
        self._writer = writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="query-log-checkpointer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; blocks until it has."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        copied_at = -1
        while not self._stop.wait(_PAUSE_SECONDS):
            if copied_at == self._writer.groups:
                continue
            copied_at = self._writer.groups
            try:
                self._checkpoint()
            except sqlite3.Error as error:
                # The writer tells of a database that is out of order; here it only means that the log grows for now.
                _log.warning("checkpoint-failed", problem=str(error))

    def _checkpoint(self) -> None:
        # Past SQLAlchemy, which would begin a transaction, and a checkpoint works outside of one only.
        with closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            row = cursor.fetchone()
        assert row is not None
        _, frames, copied = row
        if frames > _LARGE_FRAMES and copied > 0:
            self._writer.ask_for_checkpoint()
