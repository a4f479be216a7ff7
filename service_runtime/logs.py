"""Logs: one JSON object a line on stderr, times in UTC, secrets taken out.

``structlog.get_logger("name")`` gives a logger; ``structlog.contextvars.bound_contextvars(request_id=…)`` adds fields
to every entry made within it, also in the tasks it starts.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

HIDDEN = "[hidden]"
"""What stands in the log in place of a secret."""

_SECRET_WORDS = re.compile(
    r"\b(?:passphrase|password|passwd|secret|key|token|authorization|cookie|credential|body)s?\b"
)
# What follows a secret's word when the value only describes it: key_file, token_serial, body_bytes.
_DESCRIPTION = re.compile(r"\b(?:file|path|id|serial|fingerprint|digest|sha256|bytes|size|count|seconds|kind|type)$")
_BETWEEN_WORDS = re.compile(r"[^a-z0-9]+")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def configure_logs(process: str, level: str = "info") -> None:
    """Send this process's logs to stderr as JSON lines that carry `process`, from `level` upwards.

    Levels: debug, info, warning, error, critical (ValueError otherwise). Libraries' own loggers (uvicorn, aiohttp,
    alembic and all others) come the same way, from warning upwards.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"there is no log level {level!r}")

    def add_process(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["process"] = process
        return entry

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_process,
    ]
    # Redaction comes after the traces are written out, so that it sees them too.
    ending: list[Processor] = [
        structlog.processors.format_exc_info,
        hide_secrets,
        structlog.processors.JSONRenderer(default=_describe_value, sort_keys=False),
    ]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)


class _Stderr:
    """What the logs are written to: stderr, whose failures are nobody's.

    It may be a file on a full disk or a pipe that nobody reads any more. An entry is lost then; whoever wrote it goes
    on, and so recovers when the disk does.
    """

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def hide_secrets(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values under names such as passphrase, key, authorization, body or token (a structlog processor).

    Nested mappings and lists are searched; bytes are never shown, only counted; PEM private keys are hidden wherever
    they stand in a text.
    """
    for name, value in entry.items():
        entry[name] = _cleaned(name, value)
    return entry


def _cleaned(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return HIDDEN if isinstance(value, int) and not isinstance(value, bool) and _is_secret(name) else value
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, str):
        return _PRIVATE_KEY.sub(HIDDEN, value) if "PRIVATE KEY" in value else value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(inner): _cleaned(str(inner), below) for inner, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(name, below) for below in value]
    return value


def _is_secret(name: str) -> bool:
    words = _BETWEEN_WORDS.sub(" ", name.lower())
    return _SECRET_WORDS.search(words) is not None and _DESCRIPTION.search(words) is None


def _describe_value(value: Any) -> str:
    return str(value)
