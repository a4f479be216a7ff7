"""The management application: is the process alive, can it do its work, and its figures.

``GET /health/live``, ``GET /health/ready`` and ``GET /metrics`` (Prometheus text). It is plain ASGI, served on a
loopback listener of its own that closes last. Figures are `prometheus_client` counters, gauges and histograms, made
where they are counted.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

_LOG = structlog.get_logger("health")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a readiness check found: `reason` is a stable kebab-case code, `advice` what to do when it is not ok."""

    ok: bool
    reason: str = ""
    advice: str = ""


Check = Callable[[], Awaitable[CheckResult]]
"""A readiness check; one that raises or takes too long counts as failed."""


class Health:
    """ASGI application with the health and metrics of one process.

    Checks run at each question, all at once, each for at most `check_seconds`. Give `announce_draining` to
    `serve(on_drain=…)`: from then on the process says it is not ready, so that a load balancer turns away.
    """

    def __init__(self, process: str, *, registry: CollectorRegistry = REGISTRY, check_seconds: float = 3.0) -> None:
        self._process = process
        self._registry = registry
        self._check_seconds = check_seconds
        self._checks: dict[str, Check] = {}
        self._draining = False

    def add_check(self, name: str, check: Check) -> None:
        """Make readiness depend on `check` too. Raises ValueError if there is one of that name."""
        if name in self._checks:
            raise ValueError(f"there is a check named {name} already")
        self._checks[name] = check

    def announce_draining(self) -> None:
        """Say from now on that the process is not ready, because it is stopping."""
        self._draining = True

    async def readiness(self) -> dict[str, CheckResult]:
        """Every check's name with what it finds now."""
        results = await asyncio.gather(*(self._look(name, check) for name, check in self._checks.items()))
        found = dict(zip(self._checks, results, strict=True))
        if self._draining:
            found["serving"] = CheckResult(False, "draining", "The process is stopping; ask another one.")
        return found

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request (ASGI)."""
        del receive  # No question here has a body.
        if scope["type"] != "http":
            return
        status, content_type, body = await self._answer(scope["method"], scope["path"])
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        if path not in ("/health/live", "/health/ready", "/metrics"):
            return _json(404, {"reason": "not-found", "advice": "Ask /health/live, /health/ready or /metrics."})
        if method not in ("GET", "HEAD"):
            return _json(405, {"reason": "method-not-allowed", "advice": "Use GET."})
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        if path == "/health/live":
            return _json(200, {"process": self._process, "live": True})
        found = await self.readiness()
        ready = all(result.ok for result in found.values())
        checks = [{"name": name, **asdict(result)} for name, result in found.items()]
        return _json(200 if ready else 503, {"process": self._process, "ready": ready, "checks": checks})

    async def _look(self, name: str, check: Check) -> CheckResult:
        try:
            async with asyncio.timeout(self._check_seconds):
                return await check()
        except TimeoutError:
            return CheckResult(False, "check-timeout", f"The check took longer than {self._check_seconds:g} seconds.")
        except Exception:
            _LOG.exception("readiness-check-failed", check=name)
            return CheckResult(False, "check-failed", "The check itself failed; see the log.")


def _json(status: int, content: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(content).encode() + b"\n"
