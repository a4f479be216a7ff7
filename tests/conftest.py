"""What every test shares: the project's folder, and freedom from the settings of whoever runs the tests."""

import os
from pathlib import Path

import pytest

from tests.running_instance import instance, own_instance

__all__ = ["instance", "own_instance"]

PROXY_SETTINGS = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Drop what the surroundings set and a test or a process that it starts would obey.

    A proxy would be asked for loopback addresses, and ``XACBE_TSA__...`` would override a test's settings file. It
    happens once and before collection, because fixtures of session scope start processes too.
    """
    for name in list(os.environ):
        if name.lower() in PROXY_SETTINGS or (name.startswith("XACBE_") and name != "XACBE_REQUIRE_ALL"):
            del os.environ[name]
