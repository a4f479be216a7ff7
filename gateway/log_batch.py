"""One group of records, written in one transaction: what each of them comes to.

The database's own uniqueness decides who owns a request id, so the answer is the same whether two claims meet in one
group, in two groups, or in two processes.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway import tables
from gateway.errors import QueryLogError
from gateway.log_entries import Claim, ClaimOutcome, Direction, LogEntry, Refusal

Record = LogEntry | Refusal
Result = Claim | int | None | QueryLogError
"""A claim for a request, the entry's number for an answer, None for a refusal; or why it was not recorded."""

_RowKey = tuple[str, str, str, str, str]

_c = tables.entry.c
_ROW_KEY = (_c.side, _c.client, _c.request_id, _c.direction, _c.instance)
_IS_ROW = [column == bindparam(f"the_{column.name}") for column in _ROW_KEY]

# Built once: making a statement anew costs as much as running it.
_INSERTS = {
    # SQLAlchemy has ON CONFLICT only in the dialects of databases that have it.
    "sqlite": sqlite.insert(tables.entry).on_conflict_do_nothing().returning(_c.id, *_ROW_KEY),
    "postgresql": postgresql.insert(tables.entry).on_conflict_do_nothing().returning(_c.id, *_ROW_KEY),
}
_STORED = select(_c.id, _c.container_sha256, _c.peer_server, _c.signer_fingerprint).where(*_IS_ROW)
_CONTAINER = select(_c.container).where(*_IS_ROW)
# One query for each client: SQLite finds a list of single values through the index, but scans the whole table for a
# list of tuples.
_RECORDED_REQUESTS = select(_c.request_id).where(
    _c.side == bindparam("the_side"),
    _c.client == bindparam("the_client"),
    _c.request_id.in_(bindparam("the_request_ids", expanding=True)),
    _c.direction == str(Direction.REQUEST),
    _c.instance == bindparam("the_instance"),
)


def write_batch(connection: Connection, records: Sequence[Record]) -> list[Result]:
    """Write `records` within the caller's transaction; returns what each one comes to, in the same order.

    An answer finds its request in the same group, too. Nothing is true before the caller has committed. Database
    errors are raised as SQLAlchemy raises them.
    """
    entries = [(position, each) for position, each in enumerate(records) if isinstance(each, LogEntry)]
    asked = _recorded_requests(connection, [each for _, each in entries])
    allowed = [each for each in entries if each[1].direction is Direction.REQUEST or each[1].key in asked]
    numbers = _insert_first_of_each(connection, allowed)
    results: list[Result] = [None] * len(records)
    for position, entry in entries:
        if position in numbers:
            number = numbers[position]
            results[position] = Claim(ClaimOutcome.NEW, number) if entry.direction is Direction.REQUEST else number
        elif entry.direction is Direction.REQUEST:
            results[position] = _claim_again(connection, entry)
        else:
            results[position] = _answer_refused(entry, asked=entry.key in asked)
    refusals = [each.columns() for each in records if isinstance(each, Refusal)]
    if refusals:
        connection.execute(insert(tables.refusal), refusals)
    return results


def _recorded_requests(connection: Connection, entries: list[LogEntry]) -> set[tuple[str, str, str, str]]:
    """The keys among those of the answers in `entries` whose request is recorded, or is being recorded with them."""
    asked = {entry.key for entry in entries if entry.direction is Direction.REQUEST}
    by_client: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        if entry.direction is Direction.ANSWER and entry.key not in asked:
            by_client.setdefault(entry.key[:3], []).append(entry.request_id)
    for (instance, side, client), request_ids in by_client.items():
        found = connection.execute(
            _RECORDED_REQUESTS,
            {"the_instance": instance, "the_side": side, "the_client": client, "the_request_ids": request_ids},
        )
        asked.update((instance, side, client, request_id) for request_id in found.scalars())
    return asked


def _insert_first_of_each(connection: Connection, entries: list[tuple[int, LogEntry]]) -> dict[int, int]:
    """Insert the first entry of each row key; the numbers of the rows that were really made, by position."""
    firsts: dict[_RowKey, int] = {}
    rows: list[dict[str, object]] = []
    for position, entry in entries:
        if firsts.setdefault(_row_key(entry), position) == position:
            rows.append(_columns(entry))
    if not rows:
        return {}
    made = connection.execute(_INSERTS[connection.dialect.name], rows)
    return {
        firsts[(side, client, request_id, direction, instance)]: number
        for number, side, client, request_id, direction, instance in made
    }


def _claim_again(connection: Connection, request: LogEntry) -> Claim:
    found = connection.execute(_STORED, _parameters(request, Direction.REQUEST)).one()
    presented = (hashlib.sha256(request.container).hexdigest(), request.peer_server, request.signer_fingerprint)
    if (found.container_sha256, found.peer_server, found.signer_fingerprint) != presented:
        return Claim(ClaimOutcome.REPLAY, found.id)
    answer = connection.execute(_CONTAINER, _parameters(request, Direction.ANSWER)).scalar_one_or_none()
    return Claim(ClaimOutcome.SAME, found.id, answer)


def _answer_refused(answer: LogEntry, *, asked: bool) -> QueryLogError:
    if asked:
        return QueryLogError(
            "answer-exists",
            f"The query log already has an answer to request {answer.request_id} of {answer.client}.",
            "Hand over the answer that is recorded.",
        )
    return QueryLogError(
        "answer-without-request",
        f"The query log has no request {answer.request_id} of {answer.client} that this would answer.",
        "Record the request before its answer.",
    )


def _row_key(entry: LogEntry) -> _RowKey:
    return (entry.side, entry.client, entry.request_id, entry.direction, entry.instance)


def _parameters(entry: LogEntry, direction: Direction) -> dict[str, str]:
    return {
        "the_side": str(entry.side),
        "the_client": entry.client,
        "the_request_id": entry.request_id,
        "the_direction": str(direction),
        "the_instance": entry.instance,
    }


def _columns(entry: LogEntry) -> dict[str, object]:
    return {
        "at": entry.at,
        "instance": entry.instance,
        "side": str(entry.side),
        "direction": str(entry.direction),
        "client": entry.client,
        "service": entry.service,
        "message_id": entry.message_id,
        "request_id": entry.request_id,
        "user_id": entry.user_id,
        "issue": entry.issue,
        "represented_party": entry.represented_party,
        "security_server": entry.security_server,
        "peer_server": entry.peer_server,
        "signer_fingerprint": entry.signer_fingerprint,
        "container": entry.container,
        "container_sha256": hashlib.sha256(entry.container).hexdigest(),
        "size": len(entry.container),
        "status_code": entry.status_code,
        "fault_type": entry.fault_type,
        "fault_reason": entry.fault_reason,
    }
