"""Logs as another process would read them: one JSON object a line, and no secrets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service_runtime.logs import HIDDEN, configure_logs, hide_secrets

PROGRAM = """
import asyncio, logging, structlog
from structlog.contextvars import bound_contextvars
from service_runtime.logs import configure_logs

configure_logs("gateway", "info")
log = structlog.get_logger("wire")
log.debug("invisible")

async def inner():
    log.info("sent", size=3, passphrase="hunter2")

async def main():
    with bound_contextvars(request_id="r-1"):
        await asyncio.create_task(inner())
    log.info("after")

asyncio.run(main())
secret = "hunter2"
try:
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
logging.getLogger("uvicorn.error").info("not shown")
logging.getLogger("aiohttp.client").warning("odd %s", "answer", extra={"authorization": "hunter2"})
log.info("several\\nlines", text="ñandú\\n{}")
"""


@pytest.fixture
def entries(project_root: Path) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=project_root, capture_output=True, check=True, text=True)
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_entries_are_json_lines(entries: list[dict[str, Any]]) -> None:
    assert [entry["event"] for entry in entries] == ["sent", "after", "failed", "odd answer", "several\nlines"]
    for entry in entries:
        assert entry["process"] == "gateway"
        assert entry["time"].endswith("Z")
    assert entries[0]["request_id"] == "r-1"
    assert entries[0]["size"] == 3
    assert entries[0]["passphrase"] == HIDDEN
    assert "request_id" not in entries[1]
    assert entries[2]["level"] == "error"
    assert "ValueError: broken" in entries[2]["exception"]
    assert entries[3]["level"] == "warning"
    assert entries[3]["logger"] == "aiohttp.client"
    assert entries[4]["text"] == "ñandú\n{}"


@pytest.mark.parametrize(
    "name",
    [
        "passphrase",
        "Password",
        "key",
        "api_key",
        "X-Api-Key",
        "Authorization",
        "body",
        "request_body",
        "token",
        "tokens",
    ],
)
def test_secret_names_are_hidden(name: str) -> None:
    assert hide_secrets(None, "info", {name: "hunter2", "nested": [{name: {"a": "hunter2"}}]}) == {
        name: HIDDEN,
        "nested": [{name: HIDDEN}],
    }


@pytest.mark.parametrize("name", ["key_file", "token_serial", "body_bytes", "monkey", "keyboard", "anybody"])
def test_what_only_describes_a_secret_is_shown(name: str) -> None:
    assert hide_secrets(None, "info", {name: "shown"}) == {name: "shown"}


def test_bytes_and_private_keys_are_never_shown() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"
    cleaned = hide_secrets(None, "info", {"event": f"read {pem}, then", "data": b"abc"})
    assert cleaned == {"event": f"read {HIDDEN}, then", "data": "[3 bytes]"}


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="loud"):
        configure_logs("gateway", "loud")
