"""What the interoperability tests share."""

from collections.abc import Iterator

import pytest

from tests.interoperability.echoing_instance import EchoingInstance, echoing
from tests.running_instance import RunningInstance


@pytest.fixture(scope="module")
def echo(instance: RunningInstance) -> Iterator[EchoingInstance]:
    """The shared instance, for one module's tests with an echoing service."""
    with echoing(instance) as made:
        yield made
