"""The query log: every stamped message that this gateway sent or accepted, and what it turned away.

A message goes further only after its entry is durable; the log is also where a request id is used once and never
again. What it keeps is the container as it travelled, so an entry is evidence by itself.
"""

import time
from datetime import UTC, datetime

from sqlalchemy import Engine, Row, select
from sqlalchemy.exc import DBAPIError

from gateway import tables
from gateway.database_lock import DatabaseLock
from gateway.errors import QueryLogError
from gateway.log_checkpoints import Checkpointer
from gateway.log_connection import sqlite_file
from gateway.log_entries import Claim, Direction, LogEntry, Refusal, Side, StoredEntry
from gateway.log_writer import LogWriter
from gateway.refusal_rate import RefusalRate
from service_runtime.database import reading

MAX_WAITING = 4096
"""How many records may wait for the writer."""
MAX_WAITING_BYTES = 256 * 1024 * 1024
"""How many bytes of containers may wait for the writer."""
MOST_FOUND = 100
"""How many entries :meth:`QueryLog.find` gives at most unless told."""


class QueryLog:
    """The query log in the database of `engine`, whose schema is already there.

    One object serves a process; it holds a lock on an SQLite file from :meth:`start` to :meth:`close`.
    `refusals_per_second` and `refusal_burst` bound how many refusals are written down.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        refusals_per_second: float = 50,
        refusal_burst: int = 200,
        max_waiting: int = MAX_WAITING,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._engine = engine
        self._rate = RefusalRate(refusals_per_second, refusal_burst)
        self._writer = LogWriter(
            engine, max_waiting=max_waiting, max_waiting_bytes=max_waiting_bytes, summaries=self._summaries
        )
        file = sqlite_file(engine)
        self._lock = DatabaseLock(file) if file else None
        self._checkpointer = Checkpointer(engine, self._writer) if file else None

    def start(self) -> None:
        """Take the lock and start writing.

        Raises QueryLogError: ``log-in-use``, ``log-not-durable``, ``log-unavailable``.
        """
        if self._lock:
            self._lock.acquire()
        try:
            self._writer.start()
        except BaseException:
            if self._lock:
                self._lock.release()
            raise
        if self._checkpointer:
            self._checkpointer.start()

    def close(self) -> None:
        """Write what waits, then stop. It blocks, for as long as the disk needs; call it in a thread or at the end."""
        self._writer.close()
        if self._checkpointer:
            self._checkpointer.close()
        if self._lock:
            self._lock.release()

    @property
    def problem(self) -> str | None:
        """Why the log cannot be written at present, None while it can: for the health page."""
        return self._writer.problem

    @property
    def waiting(self) -> int:
        """How many records wait for the writer."""
        return self._writer.depth

    @property
    def groups(self) -> int:
        """How many commits the writer has made since the start."""
        return self._writer.groups

    @property
    def records(self) -> int:
        """How many records the writer has committed since the start."""
        return self._writer.records

    async def record_request(self, entry: LogEntry) -> Claim:
        """Claim the entry's request id and record the request; returns once that is durable.

        Exactly one caller gets NEW for a key (instance, side, client, request id), whatever happens at the same time
        or after a restart. Being cancelled here does not undo the claim. Raises QueryLogError: ``log-unavailable``,
        ``log-overloaded``, ``log-closed``, ``log-entry-unfit``; then the message must not be processed.
        """
        if entry.direction is not Direction.REQUEST:
            raise ValueError("record_request takes requests")
        entry.require_fit()
        claim = await self._writer.submit(entry)
        assert isinstance(claim, Claim)
        return claim

    async def record_answer(self, entry: LogEntry) -> int:
        """Record the answer to a request that is recorded; returns the entry's number once that is durable.

        Raises QueryLogError: ``answer-exists``, ``answer-without-request``, and what :meth:`record_request` raises;
        then the answer must not leave.
        """
        if entry.direction is not Direction.ANSWER:
            raise ValueError("record_answer takes answers")
        entry.require_fit()
        number = await self._writer.submit(entry)
        assert isinstance(number, int)
        return number

    async def record_refusal(self, refusal: Refusal) -> None:
        """Record that a message was turned away, or count it when there are too many; returns once that is durable.

        Raises QueryLogError ``log-unavailable``, ``log-overloaded``, ``log-closed``.
        """
        if self._rate.admit(refusal.side, time.monotonic()):
            await self._writer.submit(refusal)

    def find(
        self,
        *,
        client: str,
        message_id: str | None = None,
        request_id: str | None = None,
        side: Side | None = None,
        direction: Direction | None = None,
        limit: int = MOST_FOUND,
    ) -> list[StoredEntry]:
        """The newest `limit` entries of `client` with this message id, or request id, or both; oldest of them first.

        Blocks, so an event loop calls it in a thread. A message id may have been used for several calls.
        Raises QueryLogError (``log-unavailable``), ValueError when neither id is given.
        """
        if message_id is None and request_id is None:
            raise ValueError("find needs a message id or a request id")
        c = tables.entry.c
        query = select(tables.entry).where(c.client == client).order_by(c.id.desc()).limit(limit)
        # Naming both sides lets the database use its indexes, which begin with the side.
        query = query.where(c.side.in_([str(side)] if side else [str(each) for each in Side]))
        if message_id is not None:
            query = query.where(c.message_id == message_id)
        if request_id is not None:
            query = query.where(c.request_id == request_id)
        if direction is not None:
            query = query.where(c.direction == str(direction))
        try:
            with reading(self._engine).connect() as connection:
                rows = connection.execute(query).all()
        except DBAPIError as error:
            raise QueryLogError(
                "log-unavailable", f"The query log cannot be read: {error.orig}.", "Check the database."
            ) from None
        return [_stored(row) for row in reversed(rows)]

    def _summaries(self, final: bool) -> list[Refusal]:
        return self._rate.summaries(time.monotonic(), datetime.now(UTC), final=final)


def _stored(row: Row[tuple[object, ...]]) -> StoredEntry:
    columns = dict(row._mapping)
    number, digest = columns.pop("id"), columns.pop("container_sha256")
    del columns["size"]
    columns["side"], columns["direction"] = Side(columns["side"]), Direction(columns["direction"])
    return StoredEntry(id=number, container_sha256=digest, entry=LogEntry(**columns))
