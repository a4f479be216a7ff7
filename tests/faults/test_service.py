"""A service that is down, slow, breaks off or answers what it should not: the caller is told, stamped, in both logs."""

from datetime import UTC, datetime

import pytest

from estamp.message import AnswerHead
from estamp.verification import Policy, verify
from tests.faults.arrangement import COUNTING, IMPATIENT, UNREACHABLE, in_both_logs, told
from tests.faults.counting_service import CountingService
from tests.running_instance import CONSUMER, RunningInstance

NETWORK = "Server.ServerProxy.NetworkError"
BROKE_OFF = "Server.ServerProxy.ServiceFailed.HttpError"
INVALID = "Server.ServerProxy.ServiceFailed.InvalidResponse"


@pytest.mark.parametrize(
    ("service", "path", "fault_type", "reason", "reached"),
    [
        pytest.param(UNREACHABLE, "now/1", NETWORK, "service-unreachable", 0, id="down"),
        pytest.param(IMPATIENT, "after/4000/1", NETWORK, "service-timeout", 1, id="slow"),
        pytest.param(COUNTING, "half/1", BROKE_OFF, "service-broke-off", 1, id="closes mid-answer"),
        pytest.param(COUNTING, "silent/1", BROKE_OFF, "service-broke-off", 1, id="closes without an answer"),
        pytest.param(COUNTING, "garbage/1", INVALID, "service-answer-malformed", 1, id="garbage"),
        pytest.param(COUNTING, "odd-status/1", INVALID, "service-answer-malformed", 1, id="status 999"),
        pytest.param(COUNTING, "large/1", INVALID, "service-answer-too-large", 1, id="too large"),
        pytest.param(COUNTING, "endless/1", INVALID, "service-answer-too-large", 1, id="endless"),
    ],
)
def test_failing_service_becomes_a_stamped_fault(
    offered: RunningInstance,
    counting: CountingService,
    service: str,
    path: str,
    fault_type: str,
    reason: str,
    reached: int,
) -> None:
    before = counting.total
    answer = offered.call(path, service=service)

    assert (answer.status_code, *told(answer)) == (500, fault_type, reason, "service")
    request_id = answer.headers["x-road-request-id"]
    assert answer.json()["detail"] == request_id
    _, logged = in_both_logs(offered, request_id)
    assert (logged["fault_type"], logged["fault_reason"], logged["status_code"]) == (fault_type, reason, 500)
    (at_consumer,) = offered.entries(CONSUMER, "request_id = ? and direction = 'answer'", request_id)
    assert (at_consumer["fault_type"], at_consumer["fault_reason"]) == (fault_type, reason)
    found = verify(logged["container"], offered.anchor, Policy(datetime.now(UTC))).findings
    assert isinstance(found.head, AnswerHead)
    assert (found.head.get("x-road-error"), found.body) == (fault_type, answer.content)
    assert counting.total - before == reached, "a call that may have acted must not be made again"


def test_a_service_that_failed_answers_the_next_call(offered: RunningInstance) -> None:
    for how in ("half", "silent", "garbage"):
        assert offered.call(f"{how}/1", service=COUNTING).status_code == 500
        assert offered.call("now/1", service=COUNTING).status_code == 200
