"""The locks install the same bytes everywhere, from whatever index the installing machine uses."""

import re
from pathlib import Path

import pytest

LOCKS = ("base", "server", "dev", "build")
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)( ; .+)? \\$")


def _pins(root: Path, lock: str) -> dict[str, str]:
    lines = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := PINNED.match(line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_a_hash_or_a_comment(project_root: Path, lock: str) -> None:
    text = (project_root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    unexpected = [
        line
        for line in text.splitlines()
        if line
        and not PINNED.match(line)
        and not re.match(r"^    (--hash=sha256:[0-9a-f]{64}( \\)?|# via .+)$|^# ", line)
    ]
    # So no option can stand in a lock, no address of an index or of a find-links folder among them.
    assert unexpected == []
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(project_root: Path, lock: str) -> None:
    lines = (project_root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    pins = [number for number, line in enumerate(lines) if PINNED.match(line)]
    assert pins
    assert [lines[number] for number in pins if "--hash=sha256:" not in lines[number + 1]] == []


def test_the_locks_agree_with_each_other(project_root: Path) -> None:
    widest = _pins(project_root, "dev")
    for lock in LOCKS:
        assert _pins(project_root, lock).items() <= widest.items(), lock


def test_the_light_lock_holds_nothing_that_serves(project_root: Path) -> None:
    assert not {"aiohttp", "fastapi", "sqlalchemy", "starlette", "uvicorn"} & _pins(project_root, "base").keys()
