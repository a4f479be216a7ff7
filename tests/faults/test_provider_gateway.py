"""The provider's gateway is away, slow, or killed in the middle: the caller learns what may have happened."""

import signal

import httpx
import pytest

from tests.faults.arrangement import COUNTING, HeldCall, exchange_of, resend, restart, told
from tests.faults.counting_service import CountingService
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance, until

NETWORK = "Server.ClientProxy.NetworkError"


def test_killed_and_absent_provider(offered: RunningInstance, counting: CountingService) -> None:
    held = HeldCall(offered, counting)
    stopped = offered.stop(PROVIDER, signal.SIGKILL)
    assert told(held.answer) == (NETWORK, "provider-broke-off", "consumer gateway")
    assert not held.answer.json()["retryable"], "the service may have acted"

    absent = offered.call("now/1", service=COUNTING)
    assert told(absent) == (NETWORK, "provider-unreachable", "consumer gateway")
    assert absent.json()["retryable"]

    counting.release()
    offered.start_again(stopped)
    assert offered.call("now/1", service=COUNTING).status_code == 200
    for answer, at_provider in ((held.answer, 1), (absent, 0)):
        request_id = answer.json()["detail"]
        sent = exchange_of(offered, CONSUMER, request_id)
        assert [row["direction"] for row in sent] == ["request"]
        (refusal,) = offered.refusals(CONSUMER, "request_id = ?", request_id)
        assert (refusal["reason"], refusal["linked_entry"]) == (answer.json()["reason"], sent[0]["id"])
        assert len(exchange_of(offered, PROVIDER, request_id)) == at_provider

    # What was cut off has no answer, now and later; it is not done again.
    (request,) = offered.entries(PROVIDER, "request_id = ?", held.answer.json()["detail"])
    before = counting.total
    assert resend(offered, request["container"]).json()["reason"] == "outcome-unknown"
    assert counting.total == before


def test_provider_slower_than_the_consumer_waits(offered: RunningInstance, counting: CountingService) -> None:
    restart(offered, CONSUMER, TIME__REQUEST_TIMEOUT_SECONDS="1.0")
    try:
        held = HeldCall(offered, counting)
        assert told(held.answer) == (NETWORK, "provider-timeout", "consumer gateway")
        assert not held.answer.json()["retryable"], "the service may have acted"
        counting.release()
        request_id = held.answer.json()["detail"]
        # The provider has accepted the request, so it sees it through, and has the answer for whoever asks again.
        until(lambda: len(exchange_of(offered, PROVIDER, request_id)) == 2)
        request, answer = exchange_of(offered, PROVIDER, request_id)
        before = counting.total
        assert resend(offered, request["container"]).content == answer["container"]
        assert counting.total == before
        assert [row["direction"] for row in exchange_of(offered, CONSUMER, request_id)] == ["request"]
        assert offered.refusals(CONSUMER, "request_id = ? and reason = 'provider-timeout'", request_id)
    finally:
        restart(offered, CONSUMER)


@pytest.mark.parametrize("gateway", [CONSUMER, PROVIDER])
def test_sigterm_lets_a_call_finish_and_takes_no_new_one(
    offered: RunningInstance, counting: CountingService, gateway: str
) -> None:
    held = HeldCall(offered, counting)
    process = offered.process(gateway)
    process.handle.send_signal(signal.SIGTERM)
    if gateway == CONSUMER:
        until(lambda: _refuses_connections(offered))
    else:
        until(lambda: _reason(offered.call("now/1", service=COUNTING)) == "provider-unreachable")
    before = counting.total
    counting.release()
    assert held.answer.status_code == 200
    assert process.handle.wait(10) == 0
    assert counting.total == before
    offered.processes.running.remove(process)
    offered.start_again(process)
    request_id = held.answer.headers["x-road-request-id"]
    for each in (CONSUMER, PROVIDER):
        assert len(exchange_of(offered, each, request_id)) == 2


def _refuses_connections(instance: RunningInstance) -> bool:
    try:
        instance.call("now/1", service=COUNTING)
    except httpx.ConnectError:
        return True
    return False


def _reason(answer: httpx.Response) -> str | None:
    return answer.json()["reason"] if "x-road-error" in answer.headers else None
