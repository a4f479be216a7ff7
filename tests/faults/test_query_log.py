"""The query log cannot be written: nothing is sent and nothing is called; when it can be again, traffic resumes."""

import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.faults.arrangement import COUNTING, HeldCall, exchange_of, publish_another, told
from tests.faults.counting_service import CountingService
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance, until

SIDES = {CONSUMER: "Server.ClientProxy", PROVIDER: "Server.ServerProxy"}
GATEWAYS = pytest.mark.parametrize("gateway", [CONSUMER, PROVIDER])


@contextmanager
def disk_full(instance: RunningInstance, gateway: str) -> Iterator[None]:
    """While the block runs, the gateway cannot write to any file, its own log among them, as on a full disk."""
    pid = instance.process(gateway).handle.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(instance: RunningInstance, gateway: str) -> Iterator[None]:
    """While the block runs, somebody else holds the database's write lock."""
    other = sqlite3.connect(instance.state_of(gateway) / "gateway.sqlite3", isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def require_refused_before_the_service(
    instance: RunningInstance, counting: CountingService, gateway: str, answer: httpx.Response, before: int
) -> None:
    assert told(answer) == (f"{SIDES[gateway]}.LoggingFailed", "log-unavailable", gateway)
    assert answer.json()["retryable"]
    request_id = answer.json()["detail"]
    # The consumer's own log has the request only if it is the provider's that failed.
    assert len(exchange_of(instance, CONSUMER, request_id)) == (1 if gateway == PROVIDER else 0)
    assert exchange_of(instance, PROVIDER, request_id) == []
    assert counting.total == before


def resumes(instance: RunningInstance) -> None:
    until(lambda: instance.call("now/1", service=COUNTING).status_code == 200, 10)


@GATEWAYS
def test_full_disk(offered: RunningInstance, counting: CountingService, gateway: str) -> None:
    before = counting.total
    with disk_full(offered, gateway):
        for _ in range(3):
            # In another second a new status answer is fetched, which cannot be kept on the disk either.
            time.sleep(1.05)
            answer = offered.call("now/1", service=COUNTING)
            require_refused_before_the_service(offered, counting, gateway, answer, before)
    resumes(offered)


@GATEWAYS
def test_full_disk_when_the_answer_comes(offered: RunningInstance, counting: CountingService, gateway: str) -> None:
    held = HeldCall(offered, counting)
    with disk_full(offered, gateway):
        counting.release()
        assert told(held.answer) == (f"{SIDES[gateway]}.LoggingFailed", "answer-not-logged", gateway)
    assert not held.answer.json()["retryable"], "the service has acted"
    request_id = held.answer.json()["detail"]
    assert [row["direction"] for row in exchange_of(offered, gateway, request_id)] == ["request"]
    resumes(offered)


def test_full_disk_hides_no_new_catalogue(offered: RunningInstance) -> None:
    """A catalogue that cannot be kept counts all the same, and the gateway goes on."""
    with disk_full(offered, CONSUMER):
        publish_another(offered)
    resumes(offered)


def test_locked_database(offered: RunningInstance, counting: CountingService) -> None:
    before = counting.total
    with locked(offered, CONSUMER):
        answer = offered.call("now/1", service=COUNTING)
    require_refused_before_the_service(offered, counting, CONSUMER, answer, before)
    resumes(offered)


def test_second_gateway_on_the_same_database_refuses_to_start(offered: RunningInstance) -> None:
    folder = offered.state_of(CONSUMER).parent
    ports = (
        f"XACBE_GATEWAY__LISTENERS__{name}__PORT=0" for name in ("INFORMATION_SYSTEMS_HTTP", "PEERS", "MANAGEMENT")
    )
    command = [sys.executable, "-m", "xacbe", "gateway", "serve", "--config", str(folder / "gateway.toml")]
    done = subprocess.run(["env", *ports, *command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, -9)
    assert f"process {offered.process(CONSUMER).handle.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert offered.call("now/1", service=COUNTING).status_code == 200
