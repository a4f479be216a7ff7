"""The command line as a whole: what it says of errors, and with which code it ends."""

import subprocess
import sys
from pathlib import Path

import pytest


def xacbe(root: Path, *arguments: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process; `without` hides packages as if they were not installed."""
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({without!r}));"
        f"from xacbe.main import main; sys.argv = ['xacbe', *{arguments!r}]; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_overview_names_every_command_with_a_summary(project_root: Path) -> None:
    done = xacbe(project_root, "--help")
    assert done.returncode == 0
    for name in ("demo", "call", "estamp", "gateway", "registry", "tsa", "ocsp"):
        assert any(
            line.split()[0] == name and len(line.split()) > 3 for line in done.stdout.splitlines() if line.split()
        )


@pytest.mark.parametrize("name", ["demo", "call", "estamp", "gateway", "registry", "tsa", "ocsp"])
def test_every_command_is_there_and_explains_itself(project_root: Path, name: str) -> None:
    done = xacbe(project_root, name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: xacbe {name}")


@pytest.mark.parametrize("name", ["gateway", "registry", "tsa", "ocsp", "demo"])
def test_without_the_server_packages_one_line_names_the_install_command(project_root: Path, name: str) -> None:
    servers = (
        "aiohttp",
        "alembic",
        "fastapi",
        "httptools",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
        "uvloop",
    )
    command = {"gateway": ["serve"], "registry": ["serve"], "tsa": ["serve"], "ocsp": ["serve"], "demo": ["--once"]}[
        name
    ]
    config = [] if name == "demo" else ["--config", "pyproject.toml"]
    done = xacbe(project_root, name, *command, *config, without=servers)
    assert done.returncode == 3, done.stderr
    assert 'pip install "xacbe[server]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["no-such-thing"], 2, "no-such-thing"),
        (["estamp", "verify", "pyproject.toml"], 2, "--anchor"),
        (["estamp", "verify", "no-such-file", "--anchor", "pyproject.toml"], 2, "no-such-file"),
        (["estamp", "verify", "pyproject.toml", "--anchor", "pyproject.toml"], 3, "anchor-malformed"),
        (["estamp", "show", "pyproject.toml"], 1, "container-malformed"),
        (["call", "a/b", "--client", "QROO/MUN/X/y"], 2, "invalid-call"),
        (["call", "a/b"], 2, "--client"),
        (["call", "a/b/c/d/e", "--client", "a/b/c", "-H", "x"], 2, "Name: value"),
        (["call", "a/b/c/d/e", "--client", "a/b/c", "-d", "@no-such-file"], 2, "no-such-file"),
        (["call", "a/b/c/d/e", "--client", "a/b/c", "--gateway", "http://127.0.0.1:1"], 3, "gateway-unreachable"),
    ],
)
def test_errors_are_told_in_words_and_by_the_code(
    project_root: Path, arguments: list[str], code: int, words: str
) -> None:
    done = xacbe(project_root, *arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
