"""What the command line says of an error that was to be expected, and the exit code it ends with.

The packages' errors are known by their ``reason``, ``message`` and ``advice``; nothing is imported to recognise them,
so this works in the light install.
"""

import sys
from typing import Final

import click

FAILED: Final = 1
"""Exit code: refused, failed or not valid."""
USAGE: Final = 2
"""Exit code: the command was written wrongly."""
ENVIRONMENT: Final = 3
"""Exit code: a file, a port, a package or another process is not as it must be."""

_SERVER_PACKAGES = frozenset(
    {
        "aiohttp",
        "alembic",
        "fastapi",
        "httptools",
        "prometheus_client",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
        "uvloop",
        "yarl",
    }
)
_USAGE_REASONS = frozenset({"invalid-call", "invalid-address"})
_ENVIRONMENT_REASONS = frozenset(
    {
        "gateway-unreachable",
        "gateway-timeout",
        "gateway-connection-broken",
        "invalid-certificate",
        "anchor-malformed",
        "port-taken",
        "process-died",
        "not-ready",
        "setup-failed",
    }
)


def complain(message: str, advice: str = "") -> None:
    """Write an error for people: what happened and why, and on a line of its own what to do."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    if advice:
        click.echo(f"  {advice}", err=True)


def report(error: Exception) -> int | None:
    """Complain about an expected error and return the exit code; None, saying nothing, for any other."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package not in _SERVER_PACKAGES:
            return None
        complain(f'{package} is missing; this command needs the server packages: pip install "xacbe[server]"')
        return ENVIRONMENT
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return ENVIRONMENT
    reason, message = getattr(error, "reason", None), getattr(error, "message", None)
    if not isinstance(reason, str) or not isinstance(message, str):
        return None
    sentence = message.rstrip(". \n")
    complain(f"{sentence} ({reason})", getattr(error, "advice", ""))
    if reason in _USAGE_REASONS:
        return USAGE
    return ENVIRONMENT if reason in _ENVIRONMENT_REASONS or _is_service_error(error) else FAILED


def _is_service_error(error: Exception) -> bool:
    # The shared runtime's errors are all about settings, files, ports and databases.
    module = sys.modules.get("service_runtime.errors")
    return module is not None and isinstance(error, module.ServiceError)
