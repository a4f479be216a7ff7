"""Nothing that belongs to one machine or one operator is ever committed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.requirements_of_tests import require_tool

# Written in pieces, so that this file does not find itself.
# A heading with the beginning of a key under it; the heading alone stands where logs are tested for leaving keys out.
PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE" + rb" KEY-----[\s\\nr\"']*(Proc-Type|[A-Za-z0-9+/]{40})")
MACHINE_PATH = re.compile(rb"(?<![A-Za-z0-9_.~-])/(home|work|farm|Users|root)" + rb"/[A-Za-z0-9._-]+")
INDEX_ADDRESS = re.compile(rb"https?://[^\s\"']*/simple" + rb"\b|--(extra-)?index" + rb"-url")


@pytest.fixture(scope="module")
def tracked(project_root: Path) -> dict[str, bytes]:
    git = require_tool("git")
    if not (project_root / ".git").exists():
        pytest.skip("this folder is no git clone, so there are no tracked files to look at")
    listed = subprocess.run(
        [git, "-c", f"safe.directory={project_root}", "ls-files", "-z"],
        cwd=project_root,
        capture_output=True,
        check=True,
    )
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return {name: (project_root / name).read_bytes() for name in names if (project_root / name).is_file()}


@pytest.mark.parametrize("pattern", [PRIVATE_KEY, MACHINE_PATH, INDEX_ADDRESS], ids=["key", "path", "index"])
def test_no_tracked_file_holds_one(tracked: dict[str, bytes], pattern: re.Pattern[bytes]) -> None:
    found = {name: hit[0][:80] for name, content in tracked.items() if (hit := pattern.search(content))}
    assert found == {}


def test_no_database_or_local_trust_material_is_tracked(tracked: dict[str, bytes]) -> None:
    local = re.compile(r"^certs/(?!README\.md$)|\.(sqlite|sqlite-wal|sqlite-shm|p12|key)$|^\.venv/|\.egg-info/")
    assert [name for name in tracked if local.search(name)] == []
