"""The one thread that writes the query log: everything that waits at the same time shares one durable commit.

The event loop puts records into a bounded queue and goes on; the thread takes all of them, writes them in one
transaction, and only after the commit has reached the disk wakes whoever waits. So a future that resolves means
"durable", and one that fails means that nobody may rely on the record.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gateway.errors import QueryLogError
from gateway.log_batch import Record, Result, write_batch
from gateway.log_connection import LogConnection
from gateway.log_entries import LogEntry, Refusal

_MOST_ROWS_AT_ONCE = 512
_MOST_BYTES_AT_ONCE = 32 * 1024 * 1024
_TICK_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    record: Record
    size: int
    future: asyncio.Future[Result]


class LogWriter:
    """Takes records from any event loop and writes them in groups, in one thread with its own connection.

    At most `max_waiting` records and `max_waiting_bytes` of containers wait; `summaries` gives refusals that the
    writer adds on its own account (called with True at the end).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_waiting: int,
        max_waiting_bytes: int,
        summaries: Callable[[bool], Sequence[Refusal]],
    ) -> None:
        self._connection = LogConnection(engine)
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._summaries = summaries
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="query-log-writer", daemon=True)
        self.problem: str | None = None
        """Why the last group was not written, until a write succeeds again; None while all is well."""
        self.groups = 0
        """How many groups were committed."""
        self.records = 0
        """How many records were committed."""

    def start(self) -> None:
        """Open the database and start the thread; raises QueryLogError when the database cannot keep a log."""
        try:
            self._connection.open()
        except DBAPIError as error:
            raise _unavailable(error) from None
        self._thread.start()

    @property
    def depth(self) -> int:
        """How many records are waiting now."""
        return len(self._waiting)

    def submit(self, record: Record) -> asyncio.Future[Result]:
        """Put `record` into the queue; the future resolves once it is durable, or fails with a QueryLogError.

        Cancelling the future does not take the record out again. Raises QueryLogError ``log-overloaded`` or
        ``log-closed``. Called in the event loop that waits.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        size = len(record.container) if isinstance(record, LogEntry) else 0
        with self._changed:
            if self._closing:
                raise QueryLogError(
                    "log-closed", "The query log is closed: the gateway is stopping.", "Try again later."
                )
            if len(self._waiting) >= self._max_waiting or (
                self._waiting and self._waiting_bytes + size > self._max_waiting_bytes
            ):
                raise QueryLogError(
                    "log-overloaded",
                    f"{len(self._waiting)} records ({self._waiting_bytes} bytes) wait for the query log already.",
                    "Try again in a moment; if it lasts, look at the speed of the disk that holds the database.",
                )
            self._waiting.append(_Waiting(record, size, future))
            self._waiting_bytes += size
            self._changed.notify()
        return future

    def close(self) -> None:
        """Write what waits, then end the thread and close the connection. Blocks; does not need the event loop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def ask_for_checkpoint(self) -> None:
        """Have the thread copy the rest of the write-ahead log between two transactions (see log_checkpoints)."""
        self._connection.checkpoint_wanted = True

    def _run(self) -> None:
        while (group := self._take()) is not None:
            self._write(group)
        self._write([])
        self._connection.close()

    def _take(self) -> list[_Waiting] | None:
        """The next group, empty when a tick passed without one; None when everything is written and we are closing."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(_TICK_SECONDS)
            if not self._waiting:
                return None if self._closing else []
            group: list[_Waiting] = []
            size = 0
            while self._waiting and len(group) < _MOST_ROWS_AT_ONCE and (not group or size < _MOST_BYTES_AT_ONCE):
                group.append(self._waiting.popleft())
                size += group[-1].size
            self._waiting_bytes -= size
        return group

    def _write(self, group: list[_Waiting]) -> None:
        records = [each.record for each in group] + list(self._summaries(self._closing))
        if not records and self.problem is None:
            return
        try:
            with self._connection.transaction() as connection:
                results = write_batch(connection, records)
        # Whatever it was, nobody may be left waiting, and the thread must live to try again.
        except Exception as error:
            failure = error if isinstance(error, QueryLogError) else _unavailable(error)
            if self.problem is None:
                _log.error("query-log-failed", reason=failure.reason, problem=failure.message, records=len(group))
            self.problem = failure.message
            self._connection.discard()
            _resolve(group, [QueryLogError(failure.reason, failure.message, failure.advice) for _ in group])
            return
        if self.problem is not None:
            _log.info("query-log-recovered")
            self.problem = None
        if records:
            self.groups += 1
            self.records += len(records)
        _resolve(group, results[: len(group)])
        self._connection.checkpoint_if_wanted()


def _unavailable(error: Exception) -> QueryLogError:
    # The driver's own words only: SQLAlchemy's text would hold the statement's parameters, messages among them.
    why = str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
    return QueryLogError(
        "log-unavailable",
        f"The query log cannot be written: {why}.",
        "Check the database, its disk's free space and its permissions; the gateway tries again by itself.",
    )


def _resolve(group: list[_Waiting], results: Sequence[Result]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result]]] = {}
    for each, result in zip(group, results, strict=True):
        by_loop.setdefault(each.future.get_loop(), []).append((each.future, result))
    for loop, outcomes in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_all, outcomes)
        except RuntimeError:
            continue  # that loop is closed, so nobody waits there any more


def _set_all(outcomes: list[tuple[asyncio.Future[Result], Result]]) -> None:
    for future, result in outcomes:
        if future.done():  # cancelled; the record stays
            continue
        if isinstance(result, QueryLogError):
            future.set_exception(result)
        else:
            future.set_result(result)
