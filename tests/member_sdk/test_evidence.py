"""Evidence is fetched for the right call, judged offline, and must fit together and fit what was handed over."""

from pathlib import Path

import pytest

from estamp.errors import AnchorError
from estamp.verdict import Outcome
from member_sdk import AsyncGateway, Evidence, EvidenceUnavailable, Gateway
from tests.member_sdk.gateway_on_a_socket import GatewayOnASocket
from tests.pki import TestPki
from tests.stamped_exchanges import CLIENT, SERVICE, Exchange, anchor_of, download


def answer_with(server: GatewayOnASocket, exchange: Exchange, body: bytes | None = None) -> None:
    server.will_answer(exchange.status, exchange.answer_headers, body or exchange.answer_body or b"")


def test_the_evidence_of_a_call_is_fetched_and_verified(
    gateway: Gateway, server: GatewayOnASocket, exchange: Exchange, tmp_path: Path
) -> None:
    answer_with(server, exchange)
    answer = gateway.call(SERVICE, "UTR-123-A", message_id=exchange.message_id)
    server.will_answer(200, (("Content-Type", "application/zip"),), download(exchange))
    evidence = answer.evidence()
    assert server.request_line == (
        f"GET /asic?queryId={exchange.message_id}"
        "&xRoadInstance=QROO&memberClass=MUN&memberCode=BENITO-JUAREZ&subsystemCode=patrullas"
        f"&requestId={exchange.request_id} HTTP/1.1"
    )
    verdict = evidence.verify(exchange.anchor)
    assert verdict.valid, verdict.to_json()
    assert {check.outcome for check in verdict.together} == {Outcome.PASSED}
    assert {"request-hash", "sent-as-stamped", "handed-over-as-stamped"} <= {check.name for check in verdict.together}
    evidence.save(tmp_path / "new")
    assert (tmp_path / "new" / "request.asice").read_bytes() == exchange.request
    assert (tmp_path / "new" / "response.asice").read_bytes() == exchange.answer


async def test_the_async_client_fetches_it_too(server: GatewayOnASocket, exchange: Exchange) -> None:
    async with AsyncGateway(server.url, CLIENT, timeout=5) as gateway:
        answer_with(server, exchange)
        answer = await gateway.call(SERVICE, "UTR-123-A", message_id=exchange.message_id)
        server.will_answer(200, (), download(exchange))
        assert (await answer.evidence()).verify(exchange.anchor).valid


def test_the_anchor_may_be_a_file_or_its_bytes(exchange: Exchange, tmp_path: Path) -> None:
    evidence = Evidence(exchange.message_id, exchange.request, exchange.answer)
    file = tmp_path / "anchor.json"
    file.write_bytes(exchange.anchor.dump())
    assert evidence.verify(file).valid
    assert evidence.verify(file.read_bytes()).valid
    with pytest.raises(AnchorError):
        evidence.verify(b"{}")


def test_another_instances_anchor_refuses_it(exchange: Exchange) -> None:
    evidence = Evidence(exchange.message_id, exchange.request, exchange.answer)
    verdict = evidence.verify(anchor_of(TestPki()))
    assert not verdict.valid
    assert verdict.reason is not None
    assert [check.outcome for check in verdict.together] == [Outcome.NOT_CHECKED]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answered_request_id": "00000000-0000-4000-8000-000000000000"}, "evidence-same-request-id"),
        ({"answered_hash": "AAAA"}, "evidence-request-hash"),
        ({"answered_service": "QROO/EST/SSP/vehiculos/otro"}, "evidence-same-service"),
        ({"answered_service": "QROO/EST/OTRA/vehiculos/placas"}, "evidence-same-service"),
    ],
)
def test_an_answer_to_something_else_is_not_evidence(
    exchange: Exchange, changes: dict[str, object], reason: str
) -> None:
    other = exchange.but(**changes)
    verdict = Evidence(exchange.message_id, exchange.request, other.answer).verify(exchange.anchor)
    assert verdict.request.valid
    assert verdict.response.valid
    assert (verdict.valid, verdict.reason) == (False, reason)


def test_two_requests_are_not_an_exchange(exchange: Exchange) -> None:
    verdict = Evidence(exchange.message_id, exchange.request, exchange.request).verify(exchange.anchor)
    assert (verdict.valid, verdict.reason) == (False, "evidence-directions")


@pytest.mark.parametrize("position", [0.3, 0.6, 0.9])
def test_a_changed_byte_is_told(exchange: Exchange, position: float) -> None:
    at = int(len(exchange.answer) * position)
    changed = exchange.answer[:at] + bytes([exchange.answer[at] ^ 1]) + exchange.answer[at + 1 :]
    verdict = Evidence(exchange.message_id, exchange.request, changed).verify(exchange.anchor)
    assert verdict.request.valid
    assert not verdict.valid
    assert verdict.reason == verdict.response.reason


def test_a_gateway_that_hands_over_something_else_than_it_logged_is_told(
    gateway: Gateway, server: GatewayOnASocket, exchange: Exchange
) -> None:
    answer_with(server, exchange, b'{"placa":"OTHER"}')
    answer = gateway.call(SERVICE, "UTR-123-A")
    server.will_answer(200, (), download(exchange))
    assert answer.evidence().verify(exchange.anchor).reason == "evidence-handed-over-as-stamped"


def test_a_gateway_that_stamped_another_question_is_told(
    gateway: Gateway, server: GatewayOnASocket, exchange: Exchange
) -> None:
    answer_with(server, exchange)
    answer = gateway.call(SERVICE, "URM-481-C")
    server.will_answer(200, (), download(exchange))
    assert answer.evidence().verify(exchange.anchor).reason == "evidence-sent-as-stamped"


def test_calls_that_share_a_message_id_are_told_apart_by_the_request_id(
    gateway: Gateway, server: GatewayOnASocket, exchange: Exchange
) -> None:
    second = exchange.but(request_id="11111111-2222-4333-8444-555555555555")
    server.will_answer(200, (), download(second, exchange))
    evidence = gateway.evidence(exchange.message_id, request_id=exchange.request_id)
    assert (evidence.request, evidence.response) == (exchange.request, exchange.answer)
    server.will_answer(200, (), download(second, exchange))
    with pytest.raises(EvidenceUnavailable) as caught:
        gateway.evidence(exchange.message_id)
    assert caught.value.reason == "evidence-ambiguous"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"not found", "evidence-not-found"),
        (401, b"no", "evidence-refused"),
        (200, b"no zip", "evidence-unreadable"),
        (200, b"PK\x05\x06" + bytes(18), "evidence-incomplete"),
    ],
)
def test_what_is_no_evidence_is_told(
    gateway: Gateway, server: GatewayOnASocket, status: int, body: bytes, reason: str
) -> None:
    server.will_answer(status, (), body)
    with pytest.raises(EvidenceUnavailable) as caught:
        gateway.evidence("m1")
    assert caught.value.reason == reason


def test_evidence_of_another_message_id_is_told(exchange: Exchange) -> None:
    verdict = Evidence("the-one-i-asked-for", exchange.request, exchange.answer).verify(exchange.anchor)
    assert not verdict.valid
    assert verdict.reason == "evidence-message-id"
