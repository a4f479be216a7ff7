"""The shared instance, with the counting service and some that do not work among the provider's services."""

import socket
from collections.abc import Iterator

import pytest

from tests.faults.arrangement import COUNTING, IMPATIENT, UNREACHABLE, provider_services
from tests.faults.counting_service import CountingService
from tests.running_instance import PROVIDER, RunningInstance, until


@pytest.fixture(scope="module")
def counting() -> Iterator[CountingService]:
    """The counting service, for the tests of one module."""
    with CountingService() as service:
        yield service


@pytest.fixture(scope="module")
def offered(instance: RunningInstance, counting: CountingService) -> Iterator[RunningInstance]:
    """The shared instance, whose provider also offers COUNTING, IMPATIENT and UNREACHABLE for a module's tests."""
    with socket.socket() as nobody:
        # Bound, but not listening: whoever connects is refused, and nobody else can take the port meanwhile.
        nobody.bind(("127.0.0.1", 0))
        instance.apply(PROVIDER, provider_services(instance, counting, nobody.getsockname()[1]))
        wait_until_offered(instance)
        yield instance
    original = instance.state_of(PROVIDER).parent / "services.toml"
    instance.apply(PROVIDER, original.read_text(encoding="utf-8"))


def wait_until_offered(instance: RunningInstance) -> None:
    """Wait until the provider's gateway took over what was applied, and not what the module before had applied."""
    for service, reason in ((COUNTING, None), (IMPATIENT, None), (UNREACHABLE, "service-unreachable")):
        until(lambda service=service, reason=reason: reason_of(instance, service) == reason)  # type: ignore[misc]


def reason_of(instance: RunningInstance, service: str) -> str | None:
    """The reason with which a call is refused, None for an answer."""
    answer = instance.call("now/are-you-there", service=service)
    return answer.json()["reason"] if "x-road-error" in answer.headers else None
