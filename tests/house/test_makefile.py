"""The Makefile says what is wrong before anything is made."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.requirements_of_tests import require_tool


@pytest.fixture
def clone(project_root: Path, tmp_path: Path) -> Path:
    """A folder with the Makefile alone, so that no `.venv` is at hand and none of ours is touched."""
    (tmp_path / "Makefile").write_bytes((project_root / "Makefile").read_bytes())
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/build.txt", "requirements/server.txt", "requirements/dev.txt"):
        (tmp_path / name).touch()
    return tmp_path


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [require_tool("make"), *arguments],
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_python_that_is_too_old_is_named_with_the_way_out(clone: Path) -> None:
    old = clone / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = _make(clone, "demo", "PYTHON=./old-python")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert "make demo PYTHON=python3.11" in done.stderr
    assert not (clone / ".venv").exists()


def test_plain_make_lists_the_targets_without_installing(clone: Path) -> None:
    done = _make(clone)
    assert done.returncode == 0
    for target in ("demo", "test", "check", "bench", "format", "lock", "clean"):
        assert f"make {target}" in done.stdout
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("given", "expected", "unexpected"),
    [
        (["ONCE=1"], ["--once"], ["--port-base", "--evidence"]),
        (["ONCE=0"], [], ["--once"]),
        (["PORT_BASE=20000", "EVIDENCE=a folder"], ["--port-base 20000", '--evidence "a folder"'], ["--once"]),
    ],
)
def test_demo_hands_its_settings_to_the_command(
    clone: Path, given: list[str], expected: list[str], unexpected: list[str]
) -> None:
    done = _make(clone, "--dry-run", "demo", *given)
    assert done.returncode == 0, done.stderr
    command = " ".join(done.stdout.partition("xacbe demo")[2].split())
    assert all(option in command for option in expected)
    assert not any(option in command for option in unexpected)
