"""One stamped exchange through two gateways, as callers see it and as both query logs hold it."""

from datetime import UTC, datetime

import pytest

from estamp.message import AnswerHead
from estamp.verification import Policy, verify
from gateway.log_entries import Side
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, SERVICE, WITHOUT_RIGHT, RunningInstance


def test_answer_carries_the_headers_of_the_protocol_and_the_service_s_body(instance: RunningInstance) -> None:
    answer = instance.call(headers={"X-Road-Id": "my-own-id"})
    assert answer.status_code == 200
    assert answer.json()["placa"] == "UTR-123-A"
    assert answer.headers["x-road-id"] == "my-own-id"
    assert answer.headers["x-road-client"] == CLIENT
    assert answer.headers["x-road-service"] == SERVICE
    assert len(answer.headers.get_list("date")) == 1
    assert "x-road-error" not in answer.headers


def test_both_logs_hold_the_same_two_containers_and_they_verify(instance: RunningInstance) -> None:
    request_id = instance.call().headers["x-road-request-id"]
    consumer = instance.entries(CONSUMER, "request_id = ?", request_id)
    provider = instance.entries(PROVIDER, "request_id = ?", request_id)
    assert [row["direction"] for row in consumer] == [row["direction"] for row in provider] == ["request", "answer"]
    assert [row["container"] for row in consumer] == [row["container"] for row in provider]
    assert {row["side"] for row in consumer} == {str(Side.CONSUMER)}
    for row in consumer:
        verdict = verify(row["container"], instance.anchor, Policy(datetime.now(UTC)))
        assert verdict.valid, verdict.failure


def test_service_s_own_error_is_stamped_and_passed_on_without_a_fault(instance: RunningInstance) -> None:
    answer = instance.call("ZZZ-999-Z")
    assert answer.status_code == 404
    assert "x-road-error" not in answer.headers
    row = instance.entries(CONSUMER, "request_id = ? and direction = 'answer'", answer.headers["x-road-request-id"])[0]
    verdict = verify(row["container"], instance.anchor, Policy(datetime.now(UTC)))
    assert isinstance(verdict.findings.head, AnswerHead)
    assert (verdict.valid, verdict.findings.head.status) == (True, 404)


def test_call_without_the_right_is_refused_by_the_provider_with_a_stamped_fault(instance: RunningInstance) -> None:
    answer = instance.call(client=WITHOUT_RIGHT)
    assert answer.status_code == 500
    assert answer.headers["x-road-error"] == "Server.ServerProxy.AccessDenied"
    told = answer.json()
    assert (told["type"], told["reason"], told["place"]) == (
        "Server.ServerProxy.AccessDenied",
        "access-denied",
        "provider gateway",
    )
    assert told["advice"]
    for gateway in (CONSUMER, PROVIDER):
        rows = instance.entries(gateway, "request_id = ?", answer.headers["x-road-request-id"])
        assert [row["direction"] for row in rows] == ["request", "answer"]
        assert rows[1]["fault_type"] == "Server.ServerProxy.AccessDenied"


@pytest.mark.parametrize("repeat", [1, 2])
def test_a_caller_s_own_message_id_may_repeat(instance: RunningInstance, repeat: int) -> None:
    assert instance.call(headers={"X-Road-Id": "the same id twice"}).status_code == 200
    assert len(instance.entries(PROVIDER, "message_id = 'the same id twice' and direction = 'request'")) >= repeat
