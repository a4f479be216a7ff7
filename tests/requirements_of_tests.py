"""What single tests need beyond the locked packages: outside programs and judges.

In anyone's clone a missing one is a skip that names it. Continuous integration installs all of them and sets
``XACBE_REQUIRE_ALL=1``, under which a missing one is a failure, so that no check can vanish unnoticed.
"""

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest


def require_tool(name: str) -> Path:
    """Return the path of the program `name`, or skip the calling test (fail it where everything is required)."""
    found = shutil.which(name)
    if found is None:
        missing(f"this test needs the program '{name}', which is not on PATH")
    return Path(found)


def require_module(name: str) -> ModuleType:
    """Import and return the module `name`, or skip the calling test (fail it where everything is required).

    A module that is there but cannot be loaded, for want of a shared library for example, counts as missing.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        missing(f"this test needs the module '{name}', which cannot be imported: {error}")


def missing(what: str) -> NoReturn:
    """Skip the calling test because of `what` it needs and does not have (fail it where everything is required)."""
    if os.environ.get("XACBE_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} (XACBE_REQUIRE_ALL=1 forbids skipping it)", pytrace=False)
    pytest.skip(what)
