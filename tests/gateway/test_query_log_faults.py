"""What the query log does when its database, its disk or its neighbour misbehaves: it refuses, and recovers."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from gateway.errors import QueryLogError
from gateway.log_entries import ClaimOutcome
from gateway.query_log import QueryLog
from service_runtime.database import migrate, open_engine
from tests.gateway.log_samples import entry, refusal


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.sqlite3"
    migrate(open_engine(f"sqlite:///{path}"), "gateway")
    return path


@pytest.fixture
def engine(database: Path) -> Engine:
    return open_engine(f"sqlite:///{database}", busy_timeout_seconds=0.2)


async def reasons_of(log: QueryLog, count: int) -> set[str]:
    outcomes = await asyncio.gather(
        *(log.record_request(entry(container=b"c" * 5000)) for _ in range(count)), return_exceptions=True
    )
    return {each.reason for each in outcomes if isinstance(each, QueryLogError)}


async def becomes(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False


async def test_locked_database_fails_all_who_wait_and_the_next_group_tries_anew(engine: Engine, database: Path) -> None:
    log = QueryLog(engine)
    log.start()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(
        *(log.record_request(entry(request_id=f"id{n}")) for n in range(10)), return_exceptions=True
    )
    assert [getattr(each, "reason", each) for each in outcomes] == ["log-unavailable"] * 10
    assert "locked" in (log.problem or "")
    other.execute("ROLLBACK")
    claims = [await log.record_request(entry(request_id=f"id{n}")) for n in range(10)]
    assert {claim.outcome for claim in claims} == {ClaimOutcome.NEW}
    assert log.problem is None
    other.close()
    log.close()


async def test_recovery_is_noticed_without_any_traffic(engine: Engine, database: Path) -> None:
    log = QueryLog(engine)
    log.start()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert await reasons_of(log, 1) == {"log-unavailable"}
    other.execute("ROLLBACK")
    other.close()
    assert await becomes(lambda: log.problem is None)
    log.close()


async def test_schema_fault_names_no_message_content(engine: Engine, database: Path) -> None:
    log = QueryLog(engine)
    log.start()
    with sqlite3.connect(database) as other:
        other.execute("ALTER TABLE entry RENAME TO entry_away")
    with pytest.raises(QueryLogError) as caught:
        await log.record_request(entry(container=b"plate ABC-123", message_id="message-x"))
    assert caught.value.reason == "log-unavailable"
    for hidden in ("ABC-123", "message-x"):
        assert hidden not in str(caught.value)
    with sqlite3.connect(database) as other:
        other.execute("ALTER TABLE entry_away RENAME TO entry")
    assert (await log.record_request(entry())).outcome is ClaimOutcome.NEW
    log.close()


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
async def test_vanished_file_is_noticed(engine: Engine, database: Path, tmp_path: Path, replaced: bool) -> None:
    log = QueryLog(engine)
    log.start()
    await log.record_request(entry())
    kept = database.rename(tmp_path / "kept")
    if replaced:
        migrate(open_engine(f"sqlite:///{database}"), "gateway")
    # SQLite itself would go on writing into the file that nobody can find any more.
    assert await reasons_of(log, 3) == {"log-unavailable"}
    kept.rename(database)
    assert await reasons_of(log, 3) == set()
    log.close()


def test_full_disk_refuses_and_recovers(database: Path, project_root: Path) -> None:
    # A limit on the size of files makes the system refuse writes as a full disk does; it lasts as long as the process.
    done = subprocess.run(
        [sys.executable, __file__, str(database)],
        env=os.environ | {"PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["log-unavailable recovered"], done.stdout + done.stderr


async def test_second_gateway_on_the_same_file_is_refused(engine: Engine, database: Path) -> None:
    log = QueryLog(engine)
    log.start()
    with pytest.raises(QueryLogError) as caught:
        QueryLog(open_engine(f"sqlite:///{database}")).start()
    assert caught.value.reason == "log-in-use"
    assert str(os.getpid()) in caught.value.message
    log.close()
    after = QueryLog(engine)
    after.start()
    after.close()


def test_lock_ends_with_the_process(engine: Engine, database: Path, project_root: Path) -> None:
    samples = Path(__file__).with_name("log_samples.py")
    process = subprocess.Popen(
        [sys.executable, str(samples), str(database)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(project_root)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(QueryLogError) as caught:
        QueryLog(engine).start()
    assert (caught.value.reason, str(process.pid) in caught.value.message) == ("log-in-use", True)
    process.kill()
    process.wait()
    process.stdout.close()
    log = QueryLog(engine)
    log.start()
    log.close()


def test_database_that_does_not_sync_is_refused(database: Path) -> None:
    engine = open_engine(f"sqlite:///{database}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = NORMAL"))
    with pytest.raises(QueryLogError) as caught:
        QueryLog(engine).start()
    assert caught.value.reason == "log-not-durable"


async def test_queue_is_bounded_in_entries_and_in_bytes(engine: Engine, database: Path) -> None:
    for limits in ({"max_waiting": 8}, {"max_waiting_bytes": 40_000}):
        log = QueryLog(engine, **limits)
        log.start()
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await reasons_of(log, 30) == {"log-overloaded", "log-unavailable"}
        other.execute("ROLLBACK")
        other.close()
        assert await reasons_of(log, 1) == set()
        log.close()


async def test_one_entry_larger_than_the_bound_still_goes_alone(engine: Engine) -> None:
    log = QueryLog(engine, max_waiting_bytes=1000)
    log.start()
    assert (await log.record_request(entry(container=b"c" * 2000))).outcome is ClaimOutcome.NEW
    log.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "m" * 600},
        {"request_id": "r" * 200},
        {"client": "Q/" + "c" * 1100},
        {"user_id": "\ud800"},
        {"issue": "a\0b"},
    ],
)
async def test_unfit_entry_is_refused_alone(engine: Engine, changes: dict[str, Any]) -> None:
    log = QueryLog(engine)
    log.start()
    bad, good = await asyncio.gather(
        log.record_request(entry(**changes)), log.record_request(entry()), return_exceptions=True
    )
    assert getattr(bad, "reason", bad) == "log-entry-unfit"
    assert getattr(good, "outcome", good) is ClaimOutcome.NEW
    log.close()


async def test_close_writes_what_waits_and_takes_no_more(engine: Engine, database: Path) -> None:
    log = QueryLog(engine)
    log.start()
    tasks = [asyncio.create_task(log.record_request(entry())) for _ in range(200)]
    await asyncio.sleep(0)
    log.close()
    assert {(await task).outcome for task in tasks} == {ClaimOutcome.NEW}
    with sqlite3.connect(database) as other:
        assert other.execute("SELECT count(*) FROM entry").fetchone() == (200,)
    with pytest.raises(QueryLogError) as caught:
        await log.record_refusal(refusal())
    assert caught.value.reason == "log-closed"


async def fill_the_disk(database: Path) -> None:
    log = QueryLog(open_engine(f"sqlite:///{database}"))
    log.start()
    await log.record_request(entry())
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    reasons: set[str] = set()
    while not reasons:
        reasons = await reasons_of(log, 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert await reasons_of(log, 20) == set()
    log.close()
    sys.stdout.write(f"{' '.join(reasons)} recovered\n")


if __name__ == "__main__":
    asyncio.run(fill_the_disk(Path(sys.argv[1])))
