"""The sync to disk comes before what is sent, as the system itself saw it (strace), at both gateways."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.arrangement import COUNTING, in_both_logs, restart
from tests.faults.counting_service import CountingService
from tests.faults.disk_order import Milestone, from_port, to_port, tracer, violations
from tests.requirements_of_tests import require_tool
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance

GATEWAYS = (CONSUMER, PROVIDER)


@dataclass(frozen=True)
class TracedCall:
    """One call: its request id, and for each gateway what it did from the call's beginning, and what it had to send."""

    request_id: str
    traces: dict[str, list[str]]
    milestones: dict[str, list[Milestone]]

    def violations(self, gateway: str, trace: list[str]) -> list[str]:
        return violations(trace, self.request_id, self.milestones[gateway])


@pytest.fixture(scope="module")
def call(offered: RunningInstance, counting: CountingService, tmp_path_factory: pytest.TempPathFactory) -> TracedCall:
    """A call through two gateways that run under strace."""
    require_tool("strace")
    folder = tmp_path_factory.mktemp("traces")
    files = {gateway: folder / f"{gateway}.txt" for gateway in GATEWAYS}
    for gateway, file in files.items():
        restart(offered, gateway, prefix=tracer(file))
    # Connections are made by a first call, so that what the second one sends is messages, and no handshakes.
    offered.call("now/first", service=COUNTING).raise_for_status()
    time.sleep(0.5)
    before = {gateway: _size(file) for gateway, file in files.items()}
    answer = offered.call("now/second", service=COUNTING).raise_for_status()
    request_id = answer.headers["x-road-request-id"]
    in_both_logs(offered, request_id)
    for gateway in GATEWAYS:
        restart(offered, gateway)
    ports = offered.ports
    return TracedCall(
        request_id,
        {
            gateway: file.read_text("utf-8", "replace")[before[gateway] :].splitlines()
            for gateway, file in files.items()
        },
        {
            CONSUMER: [
                to_port("request to the provider", ports.peers(PROVIDER).port),
                from_port("answer to the caller", ports.information_systems(CONSUMER).port),
            ],
            PROVIDER: [
                to_port("call of the service", counting.port),
                from_port("answer to the consumer", ports.peers(PROVIDER).port),
            ],
        },
    )


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_entries_are_synced_before_anything_is_sent(call: TracedCall, gateway: str) -> None:
    assert call.violations(gateway, call.traces[gateway]) == []


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_trace_without_the_syncs_is_told_from_a_good_one(call: TracedCall, gateway: str) -> None:
    without = [line for line in call.traces[gateway] if "sync" not in line.partition("(")[0].partition("resumed")[0]]
    assert len(without) < len(call.traces[gateway])
    assert call.violations(gateway, without) == [
        f"{milestone.name}: sent before its entry was synced" for milestone in call.milestones[gateway]
    ]


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_trace_whose_syncs_come_late_is_told_from_a_good_one(call: TracedCall, gateway: str) -> None:
    syncs = [line for line in call.traces[gateway] if "sync" in line.partition("(")[0].partition("resumed")[0]]
    late = [line for line in call.traces[gateway] if line not in syncs] + syncs
    assert len(call.violations(gateway, late)) == 2


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_trace_of_another_call_is_told_from_a_good_one(call: TracedCall, gateway: str) -> None:
    found = violations(call.traces[gateway], "another-request-id", call.milestones[gateway])
    assert [each.partition(": ")[2] for each in found] == ["sent before its entry was written"] * 2


def _size(file: Path) -> int:
    return len(file.read_text("utf-8", "replace"))
