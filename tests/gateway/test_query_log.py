"""The query log on a real SQLite file: each request id once, groups, restarts, finding entries again."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway import tables
from gateway.errors import QueryLogError
from gateway.log_entries import ClaimOutcome, Direction, Side
from gateway.query_log import QueryLog
from service_runtime.database import migrate, open_engine, schema_differences
from tests.gateway.log_samples import CLIENT, entry, refusal


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.sqlite3"
    migrate(open_engine(f"sqlite:///{path}"), "gateway")
    return path


@pytest.fixture
def engine(database: Path) -> Engine:
    return open_engine(f"sqlite:///{database}")


@pytest.fixture
def log(engine: Engine) -> Iterator[QueryLog]:
    log = QueryLog(engine)
    log.start()
    yield log
    log.close()


def test_migrations_make_exactly_the_tables(engine: Engine) -> None:
    assert schema_differences(engine, tables.metadata) == []


async def test_entry_comes_back_as_it_was_recorded(log: QueryLog) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    request = entry(at=at, container=bytes(range(256)), user_id="agente ñ", issue="1/2", represented_party="EST/X")
    claim = await log.record_request(request)
    answer = entry(
        Direction.ANSWER, request.request_id, status_code=500, fault_type="Server.X", fault_reason="access-denied"
    )
    number = await log.record_answer(answer)
    found = log.find(client=CLIENT, request_id=request.request_id)
    assert [(each.id, each.entry) for each in found] == [(claim.entry_id, request), (number, answer)]
    assert found[0].container_sha256 == "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"


async def test_same_container_from_same_peer_gets_the_answer_once_it_is_known(log: QueryLog) -> None:
    request = entry()
    first = await log.record_request(request)
    assert first.outcome is ClaimOutcome.NEW
    again = await log.record_request(request)
    assert (again.outcome, again.answer, again.entry_id) == (ClaimOutcome.SAME, None, first.entry_id)
    await log.record_answer(entry(Direction.ANSWER, request.request_id, container=b"the answer"))
    assert (await log.record_request(request)).answer == b"the answer"


@pytest.mark.parametrize(
    "changes",
    [{"container": b"another"}, {"peer_server": "QROO/MUN/OTHER/gw1"}, {"signer_fingerprint": "cd" * 32}],
    ids=["another container", "another peer", "another signer"],
)
async def test_taken_request_id_is_a_replay_for_anybody_else(log: QueryLog, changes: dict[str, Any]) -> None:
    await log.record_request(entry(request_id="id"))
    await log.record_answer(entry(Direction.ANSWER, "id", container=b"secret"))
    claim = await log.record_request(entry(request_id="id", **changes))
    assert (claim.outcome, claim.answer) == (ClaimOutcome.REPLAY, None)
    assert len(log.find(client=CLIENT, request_id="id")) == 2


@pytest.mark.parametrize(
    "changes",
    [{"side": Side.CONSUMER}, {"client": "QROO/MUN/OTHER/x"}, {"instance": "YUC"}, {"request_id": "id2"}],
    ids=["side", "client", "instance", "request id"],
)
async def test_uniqueness_is_by_instance_side_client_and_request_id(log: QueryLog, changes: dict[str, Any]) -> None:
    await log.record_request(entry(request_id="id"))
    assert (await log.record_request(entry(**({"request_id": "id"} | changes)))).outcome is ClaimOutcome.NEW


async def test_of_many_claims_at_once_exactly_one_is_new(log: QueryLog) -> None:
    claims = await asyncio.gather(
        *(log.record_request(entry(request_id="id", container=b"%d" % (n % 3))) for n in range(300))
    )
    outcomes = [claim.outcome for claim in claims]
    assert outcomes.count(ClaimOutcome.NEW) == 1
    assert outcomes.count(ClaimOutcome.SAME) == 99
    assert outcomes.count(ClaimOutcome.REPLAY) == 200


async def test_replay_is_known_after_a_restart(engine: Engine) -> None:
    for expected in (ClaimOutcome.NEW, ClaimOutcome.SAME):
        log = QueryLog(engine)
        log.start()
        assert (await log.record_request(entry(request_id="id"))).outcome is expected
        log.close()


async def test_answer_needs_its_request_and_comes_once(log: QueryLog) -> None:
    with pytest.raises(QueryLogError) as caught:
        await log.record_answer(entry(Direction.ANSWER, "id"))
    assert caught.value.reason == "answer-without-request"
    await log.record_request(entry(request_id="id"))
    outcomes = await asyncio.gather(
        *(log.record_answer(entry(Direction.ANSWER, "id", container=b"%d" % n)) for n in range(5)),
        return_exceptions=True,
    )
    failures = [each for each in outcomes if isinstance(each, QueryLogError)]
    assert [each.reason for each in failures] == ["answer-exists"] * 4
    with pytest.raises(QueryLogError) as caught:
        await log.record_answer(entry(Direction.ANSWER, "id", client="QROO/MUN/OTHER/x"))
    assert caught.value.reason == "answer-without-request"


async def test_a_thousand_waiting_entries_share_few_commits(log: QueryLog) -> None:
    requests = [entry() for _ in range(1000)]
    claims = await asyncio.gather(*(log.record_request(each) for each in requests))
    assert {claim.outcome for claim in claims} == {ClaimOutcome.NEW}
    assert len({claim.entry_id for claim in claims}) == 1000
    assert log.records == 1000
    assert log.groups < 20
    await asyncio.gather(*(log.record_answer(entry(Direction.ANSWER, each.request_id)) for each in requests))
    assert all(len(log.find(client=CLIENT, request_id=each.request_id)) == 2 for each in requests[::100])


async def test_entry_is_in_the_database_for_others_when_its_record_returns(log: QueryLog, database: Path) -> None:
    other = sqlite3.connect(database)
    for n in range(50):
        await log.record_request(entry(request_id=f"id{n}"))
        assert other.execute("SELECT count(*) FROM entry WHERE request_id = ?", (f"id{n}",)).fetchone() == (1,)
    other.close()


async def test_cancelled_caller_leaves_one_entry(log: QueryLog) -> None:
    requests = [entry(request_id=f"id{n}") for n in range(20)]
    tasks = [asyncio.create_task(log.record_request(each)) for each in requests]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    claims = [await log.record_request(each) for each in requests]
    assert {claim.outcome for claim in claims} == {ClaimOutcome.SAME}
    assert len(log.find(client=CLIENT, message_id="message-1")) == 20


async def test_finds_only_the_clients_own_by_message_or_request_id(log: QueryLog) -> None:
    await log.record_request(entry(request_id="a", message_id="m"))
    await log.record_request(entry(request_id="b", message_id="m"))
    await log.record_request(entry(request_id="b", message_id="m", side=Side.CONSUMER))
    await log.record_request(entry(request_id="c", message_id="m", client="QROO/MUN/OTHER/x"))

    def ids(**search: object) -> list[str]:
        return [each.entry.request_id for each in log.find(client=CLIENT, **search)]  # type: ignore[arg-type]

    assert ids(message_id="m") == ["a", "b", "b"]
    assert ids(message_id="m", side=Side.PROVIDER) == ["a", "b"]
    assert ids(request_id="b", side=Side.CONSUMER) == ["b"]
    assert ids(message_id="m", direction=Direction.ANSWER) == []
    assert ids(message_id="m", limit=1) == ["b"]
    assert ids(request_id="c") == []
    with pytest.raises(ValueError):
        log.find(client=CLIENT)


async def test_searches_use_an_index(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        for column in ("message_id", "request_id"):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM entry WHERE client = 'c' AND side IN ('a', 'b') AND {column} = 'x'"
            ).fetchall()
            assert f"{column}=?" in plan[0][3]


def test_what_was_acknowledged_survives_kill_9(database: Path, project_root: Path) -> None:
    samples = Path(__file__).with_name("log_samples.py")
    process = subprocess.Popen(
        [sys.executable, str(samples), str(database)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(project_root)},
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(300)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    assert process.returncode == -signal.SIGKILL
    with sqlite3.connect(database) as connection:
        stored = dict(
            connection.execute("SELECT request_id, group_concat(direction || size) FROM entry GROUP BY request_id")
        )
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    missing = [each for each in acknowledged if stored.get(each) != "request9000,answer9000"]
    assert len(acknowledged) >= 300
    assert missing == []


async def test_refusals_are_cleaned_and_cut(log: QueryLog, database: Path) -> None:
    claim = await log.record_request(entry())
    await log.record_refusal(
        refusal(detail="x" * 1000, client="bad\ud800\0", digest="00" * 32, linked_entry=claim.entry_id)
    )
    with sqlite3.connect(database) as connection:
        row = connection.execute("SELECT length(detail), client, digest, linked_entry FROM refusal").fetchone()
    assert row == (500, "bad?\ufffd", "00" * 32, claim.entry_id)


async def test_flood_of_refusals_is_counted_not_written(engine: Engine, database: Path) -> None:
    log = QueryLog(engine, refusals_per_second=0.001, refusal_burst=20)
    log.start()
    await asyncio.gather(*(log.record_refusal(refusal()) for _ in range(500)))
    await log.record_request(entry())  # what matters is not held up by it
    log.close()
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT reason, count(*), min(detail) FROM refusal GROUP BY reason").fetchall()
    assert [row[:2] for row in rows] == [("refusals-not-recorded", 1), ("signature-invalid", 20)]
    assert rows[0][2].startswith("480 ")
