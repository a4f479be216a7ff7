"""`kill -9` of either gateway in the middle of 200 calls: answers that were seen are evidence, nothing ran twice."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.faults.arrangement import COUNTING, in_both_logs, resend, restart
from tests.faults.counting_service import CountingService
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, RunningInstance

CALLS = 200
KILLED_AFTER = 50
"""How many answers the callers have seen when the gateway is killed."""
SPREAD = 10
"""How many milliseconds the service takes longer for each call than for the one before, so that all stages are hit."""


@dataclass
class Seen:
    """What the callers saw: the bodies of answers by request id, the reasons of faults, calls without any answer."""

    answered: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cut_off: int = 0


@pytest.fixture(scope="module")
def roomy(offered: RunningInstance) -> Iterator[RunningInstance]:
    """The instance, whose provider takes as many calls of one peer at the same time as these tests make."""
    restart(offered, PROVIDER, LIMITS__MAX_CONCURRENT_PER_PEER=str(CALLS))
    yield offered
    restart(offered, PROVIDER)


@pytest.mark.parametrize("gateway", [CONSUMER, PROVIDER])
def test_killed_gateway_keeps_every_answer_that_was_seen_and_no_call_runs_twice(
    roomy: RunningInstance, counting: CountingService, gateway: str
) -> None:
    before = counting.counted
    seen = asyncio.run(_call_until_killed(roomy, roomy.process(gateway).handle.pid))
    roomy.start_again(roomy.stop(gateway))

    assert len(seen.answered) >= KILLED_AFTER
    assert set(seen.faults) <= {"provider-broke-off", "provider-unreachable"}
    assert seen.cut_off + len(seen.faults) > 0, (
        "nothing was under way any more: the kill came too late to show anything"
    )
    for request_id, body in seen.answered.items():
        _, answer = in_both_logs(roomy, request_id)
        assert body in answer["container"]
    counted = {name: times for name, times in counting.counted.items() if name not in before}
    assert set(seen.answered) <= set(counted)
    assert set(counted.values()) == {1}

    # The gateway that sent a request cannot know how far it got. Sending it again brings the stored answer, or is
    # refused as long as nobody knows it; the service does not see it again.
    for row in roomy.entries(
        PROVIDER, "direction = 'request' and request_id in (select value from json_each(?))", _json(counted)
    ):
        again = resend(roomy, row["container"])
        stored = roomy.entries(PROVIDER, "request_id = ? and direction = 'answer'", row["request_id"])
        if stored:
            assert (again.status_code, again.content) == (200, stored[0]["container"])
        else:
            assert again.json()["reason"] == "outcome-unknown"
    assert {name: times for name, times in counting.counted.items() if name not in before} == counted


async def _call_until_killed(instance: RunningInstance, pid: int) -> Seen:
    seen = Seen()

    async def call(session: aiohttp.ClientSession, number: int) -> None:
        try:
            async with session.get(f"{instance.url()}/r1/{COUNTING}/after/{number * SPREAD}/{number}") as answer:
                body = await answer.read()
                if answer.status == 200:
                    seen.answered[answer.headers["X-Road-Request-Id"]] = body
                else:
                    seen.faults.append((await answer.json())["reason"])
        except aiohttp.ClientError:
            seen.cut_off += 1
        if len(seen.answered) == KILLED_AFTER:
            os.kill(pid, signal.SIGKILL)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CALLS),
        headers={"X-Road-Client": CLIENT},
        timeout=aiohttp.ClientTimeout(total=60),
    ) as session:
        await asyncio.gather(*(call(session, number) for number in range(CALLS)))
    return seen


def _json(names: dict[str, int]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"
