"""What the tests of faults set up and ask in many places: services, evidence, gateways started in other ways."""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx

from estamp.verification import Policy, verify
from service_runtime.tls import Identity, client_context
from tests.faults.counting_service import CountingService
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, READY_SECONDS, RunningInstance, until
from xacbe.demo_files import PROVIDING_SUBSYSTEM
from xacbe.demo_processes import Process

COUNTING = f"{PROVIDING_SUBSYSTEM}/contadas"
"""The counting service, with time enough."""
IMPATIENT = f"{PROVIDING_SUBSYSTEM}/impacientes"
"""The counting service, with half a second for each call."""
UNREACHABLE = f"{PROVIDING_SUBSYSTEM}/ausentes"
"""A service whose port nobody listens on."""


def provider_services(instance: RunningInstance, counting: CountingService, nobody: int) -> str:
    """What the provider's gateway offers: its service of the demo, and those above."""
    original = (instance.state_of(PROVIDER).parent / "services.toml").read_text(encoding="utf-8")
    services = (
        (COUNTING, counting.url, 20.0),
        (IMPATIENT, counting.url, 2.0),
        (UNREACHABLE, f"http://127.0.0.1:{nobody}", 5.0),
    )
    return original + "".join(
        f"""
[[services]]
subsystem = "{PROVIDING_SUBSYSTEM}"
code = "{service.rpartition("/")[2]}"
title = "For tests of faults"
base_url = "{url}"
timeout_seconds = {seconds}
allowed = ["{CLIENT}"]
"""
        for service, url, seconds in services
    )


def told(answer: httpx.Response) -> tuple[str, str, str]:
    """Type, reason and place of the fault that a caller got; its advice and detail must say something."""
    fault = answer.json()
    assert answer.headers["x-road-error"] == fault["type"]
    assert fault["message"]
    assert fault["advice"]
    assert fault["detail"]
    return fault["type"], fault["reason"], fault["place"]


def exchange_of(instance: RunningInstance, gateway: str, request_id: str) -> list[dict[str, Any]]:
    """What a gateway's query log holds of one call, each entry with valid evidence: the request, then the answer."""
    rows = instance.entries(gateway, "request_id = ?", request_id)
    for row in rows:
        verdict = verify(row["container"], instance.anchor, Policy(datetime.now(UTC)))
        assert verdict.valid, verdict.failure
    return rows


def in_both_logs(instance: RunningInstance, request_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and answer of one call, after making sure that both logs hold the same two, with valid evidence."""
    consumer, provider = (exchange_of(instance, gateway, request_id) for gateway in (CONSUMER, PROVIDER))
    assert [row["direction"] for row in consumer] == [row["direction"] for row in provider] == ["request", "answer"]
    assert [row["container"] for row in consumer] == [row["container"] for row in provider]
    request, answer = provider
    return request, answer


def restart(
    instance: RunningInstance, gateway: str, *, prefix: Sequence[str] = (), ready: bool = True, **environment: str
) -> Process:
    """Start a gateway that does not run, or stop and start it: under another program, or with other settings.

    ``environment`` holds settings by their variables' names without the prefix XACBE_GATEWAY__. With ``ready`` false
    it is enough that it lives. It is started as the demo does when neither is given.
    """
    with suppress(StopIteration):
        instance.stop(gateway)
    variables = [f"XACBE_GATEWAY__{name}={value}" for name, value in environment.items()]
    settings = instance.state_of(gateway).parent / "gateway.toml"
    management = instance.ports.gateway_management(gateway).url
    process = instance.processes.start(
        gateway,
        ["env", *variables, *prefix, sys.executable, "-m", "xacbe", "gateway", "serve", "--config", str(settings)],
        ready=f"{management}/health/{'ready' if ready else 'live'}",
    )
    instance.processes.wait_until_ready(READY_SECONDS, lambda _: None)
    return process


class HeldCall:
    """A call that the service has got and holds, until :meth:`CountingService.release`."""

    def __init__(self, instance: RunningInstance, counting: CountingService) -> None:
        self._answers: list[httpx.Response] = []
        counting.hold()
        before = counting.total
        self._thread = threading.Thread(
            target=lambda: self._answers.append(instance.call("held/1", service=COUNTING, timeout=20)), daemon=True
        )
        self._thread.start()
        until(lambda: counting.total == before + 1)

    @property
    def answer(self) -> httpx.Response:
        """What the caller got; waits for it."""
        self._thread.join(20)
        return self._answers[0]


def resend(instance: RunningInstance, container: bytes) -> httpx.Response:
    """Send a container to the provider's gateway as the consumer's gateway does, with its keys."""
    state = instance.state_of(CONSUMER)
    identity = Identity(state / "authentication.pem", state / "authentication.key")
    return httpx.post(
        f"{instance.ports.peers(PROVIDER).url}/messages",
        content=container,
        headers={"Xacbe-Wire": "1", "Content-Type": "application/vnd.etsi.asic-e+zip"},
        verify=client_context(server_cas=[instance.anchor.root], identity=identity, check_hostname=False),
        trust_env=False,
        timeout=20,
    )


def publish_another(instance: RunningInstance) -> None:
    """Have the registry publish two more catalogues, the last with what is in force now; wait for both gateways."""
    members = instance.folder / "registry" / "members.toml"
    renamed = members.with_name("members-renamed.toml")
    renamed.write_text(members.read_text(encoding="utf-8").replace("Patrol cars", "Patrol"), encoding="utf-8")
    for file in (renamed, members):
        version = instance.catalogue_of(CONSUMER).version
        instance.registry("apply", file)
        for gateway in (CONSUMER, PROVIDER):
            until(lambda gateway=gateway, version=version: instance.catalogue_of(gateway).version > version)  # type: ignore[misc]


def log_of(instance: RunningInstance, name: str) -> str:
    """What a process has logged since it was started last."""
    return instance.process(name).log.read_text("utf-8", "replace")


def until_logged(instance: RunningInstance, name: str, text: str, times: int = 1) -> None:
    """Wait until a process has logged a text so often."""
    until(lambda: log_of(instance, name).count(text) >= times)
