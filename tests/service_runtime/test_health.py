"""Health and metrics over a real listener."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from service_runtime.health import CheckResult, Health
from service_runtime.serving import Listener


def ask(listener: Listener, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    request = urllib.request.Request(listener.url + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read()


def management(health: Health) -> Listener:
    return Listener(health, "127.0.0.1", 0, name="management", setting="management.port", closes_last=True)


async def fine() -> CheckResult:
    return CheckResult(True)


async def stale() -> CheckResult:
    return CheckResult(False, "catalogue-expired", "Check that the registry can be reached.")


async def broken() -> CheckResult:
    raise RuntimeError("hunter2")


async def hanging() -> CheckResult:
    await asyncio.sleep(60)
    raise AssertionError


def test_ready_when_every_check_is(serving: Any) -> None:
    health = Health("gateway")
    health.add_check("catalogue", fine)
    listener = management(health)
    with serving(listener):
        status, kind, body = ask(listener, "/health/ready")
        assert (status, kind) == (200, "application/json")
        checks = [{"name": "catalogue", "ok": True, "reason": "", "advice": ""}]
        assert json.loads(body) == {"process": "gateway", "ready": True, "checks": checks}


def test_each_failing_check_says_why(serving: Any) -> None:
    health = Health("gateway", check_seconds=0.3)
    for check in (fine, stale, broken, hanging):
        health.add_check(check.__name__, check)
    listener = management(health)
    with serving(listener):
        status, _, body = ask(listener, "/health/ready")
        assert status == 503
        reasons = {check["name"]: check["reason"] for check in json.loads(body)["checks"]}
        assert reasons == {
            "fine": "",
            "stale": "catalogue-expired",
            "broken": "check-failed",
            "hanging": "check-timeout",
        }
        assert b"hunter2" not in body
        # A process that cannot work is alive all the same: killing it would help nobody.
        assert ask(listener, "/health/live")[0] == 200


def test_draining_is_not_ready(serving: Any) -> None:
    health = Health("gateway")
    listener = management(health)
    with serving(listener):
        assert ask(listener, "/health/ready")[0] == 200
        health.announce_draining()
        assert ask(listener, "/health/ready")[0] == 503


def test_metrics_are_in_prometheus_text(serving: Any) -> None:
    registry = CollectorRegistry()
    refusals = Counter("xacbe_refusals", "Refused messages.", ["reason"], registry=registry)
    refusals.labels("replay").inc(3)
    listener = management(Health("gateway", registry=registry))
    with serving(listener):
        status, kind, body = ask(listener, "/metrics")
        assert status == 200
        assert kind.startswith("text/plain")
        assert b'xacbe_refusals_total{reason="replay"} 3.0' in body


def test_other_questions_are_refused(serving: Any) -> None:
    listener = management(Health("gateway"))
    with serving(listener):
        assert ask(listener, "/")[0] == 404
        assert ask(listener, "/health/ready", "POST")[0] == 405
        status, _, body = ask(listener, "/health/live", "HEAD")
        assert (status, body) == (200, b"")


def test_a_check_has_one_name() -> None:
    health = Health("gateway")
    health.add_check("catalogue", fine)
    with pytest.raises(ValueError, match="catalogue"):
        health.add_check("catalogue", stale)
