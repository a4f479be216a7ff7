"""A registry of a test's own, and its administration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from central_registry.administration import Administration, open_administration
from tests.central_registry.a_registry import ARegistry, apply, make_registry


@pytest.fixture
def registry(tmp_path: Path) -> ARegistry:
    """A fresh registry without members."""
    return make_registry(tmp_path)


@pytest.fixture
def administration(registry: ARegistry, tmp_path: Path) -> Iterator[Administration]:
    """The administration of a registry with two members."""
    with open_administration(registry.settings) as opened:
        apply(opened, tmp_path)
        yield opened
