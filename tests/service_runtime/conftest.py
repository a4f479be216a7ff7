"""Fixtures: live services in threads, and certificate authorities."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service_runtime.serving import Listener
from tests.service_runtime.authority import Authority
from tests.service_runtime.live_service import Running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority whose certificates lie in the test's folder."""
    return Authority(tmp_path, "instance root")


@pytest.fixture
def other_authority(tmp_path: Path) -> Authority:
    """An authority that nobody trusts."""
    folder = tmp_path / "other"
    folder.mkdir()
    return Authority(folder, "other root")


@pytest.fixture
def serving() -> Any:
    """A context manager, called with listeners and options of `serve`, inside which everything listens."""

    @contextmanager
    def use(*listeners: Listener, **options: Any) -> Iterator[Running]:
        running = Running(list(listeners), {"drain_seconds": 2.0, **options})
        running.start()
        try:
            yield running
        finally:
            running.stop()
            running.thread.join(15)
            assert not running.thread.is_alive(), "the service did not stop"

    return use
