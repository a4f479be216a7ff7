"""TSA or status responder away, or telling that a certificate is not good: what goes on, and what is refused."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from central_registry import certificate_profiles
from estamp.certificates import fingerprint
from estamp.verification import STATUS_BEFORE_TIMESTAMP, Policy, verify
from tests.faults.arrangement import COUNTING, HeldCall, exchange_of, in_both_logs, resend, restart, told
from tests.faults.counting_service import CountingService
from tests.faults.forgery import answer_about, signing_certificate, telling
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance, running


def test_without_a_tsa_nothing_is_sent(offered: RunningInstance, counting: CountingService) -> None:
    before = counting.total, offered.entries(PROVIDER), offered.refusals(PROVIDER), offered.entries(CONSUMER)
    with offered.without("tsa"):
        answer = offered.call("now/1", service=COUNTING)
        assert (answer.status_code, *told(answer)) == (
            500,
            "Server.ClientProxy.LoggingFailed.TimestamperFailed",
            "timestamping-failed",
            "consumer gateway",
        )
        assert answer.json()["retryable"]
        after = counting.total, offered.entries(PROVIDER), offered.refusals(PROVIDER), offered.entries(CONSUMER)
        assert after == before
        assert offered.refusals(CONSUMER, "request_id = ?", answer.json()["detail"])[0]["linked_entry"] is None
    assert offered.call("now/1", service=COUNTING).status_code == 200


def test_tsa_that_goes_before_the_answer(offered: RunningInstance, counting: CountingService) -> None:
    held = HeldCall(offered, counting)
    with offered.without("tsa"):
        counting.release()
        assert told(held.answer) == (
            "Server.ServerProxy.CannotCreateSignature",
            "answer-not-stamped",
            "provider gateway",
        )
        assert not held.answer.json()["retryable"], "the service has acted"
    request_id = held.answer.json()["detail"]
    (request,) = exchange_of(offered, PROVIDER, request_id)
    (refusal,) = offered.refusals(PROVIDER, "reason = 'answer-not-stamped' and linked_entry = ?", request["id"])
    assert refusal["peer_server"] == request["peer_server"]
    before = counting.total
    assert resend(offered, request["container"]).json()["reason"] == "outcome-unknown"
    assert counting.total == before


def test_without_a_responder_the_last_good_answer_serves_also_after_a_restart(offered: RunningInstance) -> None:
    assert offered.call("now/1", service=COUNTING).status_code == 200
    with offered.without("ocsp"):
        for restarted in (False, True):
            if restarted:
                restart(offered, CONSUMER)
            else:
                time.sleep(1.1)
            answer = offered.call("now/1", service=COUNTING)
            assert answer.status_code == 200
            for row in in_both_logs(offered, answer.headers["x-road-request-id"]):
                verdict = verify(row["container"], offered.anchor, Policy(datetime.now(UTC)))
                assert STATUS_BEFORE_TIMESTAMP in verdict.notes


@pytest.fixture
def since_yesterday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningInstance]:
    """An instance whose certificates are valid since ten hours, so that status answers may be that old."""
    # The certificates are made in this process, by the commands; the processes that then run are as they always are.
    monkeypatch.setattr(certificate_profiles, "BACKDATED", timedelta(hours=10))
    with running(tmp_path) as instance:
        yield instance


def test_kept_status_answer_serves_for_eight_hours(since_yesterday: RunningInstance) -> None:
    instance = since_yesterday
    assert instance.call().status_code == 200
    kept = kept_status(instance, CONSUMER)
    assert kept.exists()
    with instance.without("ocsp"):
        instance.stop(CONSUMER)
        kept.write_bytes(answer_about(instance, CONSUMER, datetime.now(UTC) - timedelta(hours=7, minutes=55)))
        restart(instance, CONSUMER)
        answer = instance.call()
        assert answer.status_code == 200
        request, _ = in_both_logs(instance, answer.headers["x-road-request-id"])
        verdict = verify(request["container"], instance.anchor, Policy(datetime.now(UTC)))
        assert verdict.findings.status_produced_at is not None
        assert verdict.findings.status_produced_at < datetime.now(UTC) - timedelta(hours=7, minutes=54)

        instance.stop(CONSUMER)
        kept.write_bytes(answer_about(instance, CONSUMER, datetime.now(UTC) - timedelta(hours=8, seconds=1)))
        restart(instance, CONSUMER)
        before = instance.entries(PROVIDER), instance.entries(CONSUMER)
        answer = instance.call()
        assert told(answer) == ("Server.ClientProxy.CannotCreateSignature", "status-unavailable", "consumer gateway")
        assert "eight hours" in answer.json()["message"]
        assert (instance.entries(PROVIDER), instance.entries(CONSUMER)) == before
    time.sleep(1.1)
    assert instance.call().status_code == 200


def test_unknown_own_certificate_stamps_nothing(offered: RunningInstance, counting: CountingService) -> None:
    before = counting.total
    with offered.without("ocsp"), telling(offered, Teller(offered, {CONSUMER: "unknown"})):
        time.sleep(1.1)
        answer = offered.call("now/1", service=COUNTING)
    assert told(answer) == ("Server.ClientProxy.CertValidation", "certificate-unknown", "consumer gateway")
    assert exchange_of(offered, CONSUMER, answer.json()["detail"]) == []
    assert counting.total == before
    time.sleep(1.1)
    assert offered.call("now/1", service=COUNTING).status_code == 200


def test_revoked_own_certificate_stamps_nothing_whatever_older_answers_say(
    offered: RunningInstance, counting: CountingService
) -> None:
    teller = Teller(offered, {CONSUMER: "revoked"})
    before = counting.total
    with offered.without("ocsp"), telling(offered, teller), forgotten_afterwards(offered, CONSUMER):
        # The second time a genuine answer says good, but it is older; the third time the gateway was restarted as well.
        for status, age, restarted in (("revoked", 0, False), ("good", 120, False), ("good", 120, True)):
            teller.statuses[CONSUMER], teller.age = status, timedelta(seconds=age)
            if restarted:
                restart(offered, CONSUMER)
            time.sleep(1.1)
            answer = offered.call("now/1", service=COUNTING)
            assert told(answer) == ("Server.ClientProxy.CertValidation", "certificate-revoked", "consumer gateway")
            assert exchange_of(offered, CONSUMER, answer.json()["detail"]) == []
        assert counting.total == before
    assert offered.call("now/1", service=COUNTING).status_code == 200


def test_provider_whose_certificate_is_revoked_stamps_no_answer(offered: RunningInstance) -> None:
    with (
        offered.without("ocsp"),
        telling(offered, Teller(offered, {PROVIDER: "revoked"})),
        forgotten_afterwards(offered, PROVIDER),
    ):
        time.sleep(1.1)
        answer = offered.call("now/1", service=COUNTING)
        assert told(answer)[1:] == ("answer-not-stamped", "provider gateway")
    assert offered.call("now/1", service=COUNTING).status_code == 200


class Teller:
    """Tells of each gateway's certificate what it is told to, `good` unless told otherwise, in answers of that age."""

    def __init__(self, instance: RunningInstance, statuses: dict[str, str]) -> None:
        self.statuses = statuses
        self.age = timedelta()
        self._instance = instance
        self._gateways = {
            signing_certificate(instance, gateway)[0].serial_number: gateway for gateway in (CONSUMER, PROVIDER)
        }

    def __call__(self, serial: int, nonce: bytes) -> bytes | None:
        gateway = self._gateways.get(serial)
        if gateway is None:
            return None
        status = self.statuses.get(gateway, "good")
        return answer_about(self._instance, gateway, datetime.now(UTC) - self.age, status, nonce)


@contextmanager
def forgotten_afterwards(instance: RunningInstance, gateway: str) -> Iterator[None]:
    """Let a gateway forget, after the block, the status of its certificate, which it otherwise never would."""
    try:
        yield
    finally:
        instance.stop(gateway)
        kept_status(instance, gateway).unlink()
        restart(instance, gateway)


def kept_status(instance: RunningInstance, gateway: str) -> Path:
    """Where a gateway keeps the last status answer about its signing certificate."""
    leaf, _ = signing_certificate(instance, gateway)
    return instance.state_of(gateway) / "status" / f"{fingerprint(leaf)}.der"
