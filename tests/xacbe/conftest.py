"""What the command line's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xacbe.running_demo import RunningDemo, running_demo


@pytest.fixture(scope="session")
def demo(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One demo, running for all tests that only ask it."""
    with running_demo(project_root, tmp_path_factory.mktemp("demo")) as demo:
        yield demo
