"""The authority as a process: what is started, in which order, and what monitoring sees of it."""

import asyncio
from collections.abc import Callable

from prometheus_client import Counter, Gauge

from service_runtime.health import CheckResult, Health
from service_runtime.listeners import Listener
from service_runtime.serving import serve
from tsa.application import TimestampApplication
from tsa.authority import Authority
from tsa.clock import Clock, moment
from tsa.credentials import load_credentials
from tsa.errors import TimeNotAvailableError
from tsa.settings import TsaSettings

REQUESTS = Counter("xacbe_tsa_requests", "Time-stamp requests by what became of them.", ["outcome"])
"""Counted once for each request; the outcome is `granted`, a failure of RFC 3161, or why HTTP refused it."""

CERTIFICATE_EXPIRY = Gauge(
    "xacbe_tsa_certificate_expiry_seconds", "When the authority's certificate expires (Unix time)."
)
"""Set at the start, so that monitoring can warn long before the authority stops granting."""

# The clock is watched even when nobody asks, because a step back shows against the last look only.
_CLOCK_WATCH_SECONDS = 1.0


async def run_service(settings: TsaSettings, *, ready: Callable[[], None] | None = None) -> None:
    """Run the authority until it is told to stop; `ready` is called when it listens.

    Raises what `load_credentials` raises before anything listens, and ListenError for an address that is not free.
    """
    clock = Clock()
    credentials = load_credentials(settings.signing, now=moment(clock.nanoseconds()))
    CERTIFICATE_EXPIRY.set(credentials.certificate.not_valid_after_utc.timestamp())
    authority = Authority(credentials, settings.tokens, clock)
    application = TimestampApplication(
        authority,
        max_request_bytes=settings.listen.max_request_bytes,
        on_outcome=lambda outcome: REQUESTS.labels(outcome).inc(),
    )
    health = Health("tsa")
    health.add_check("time", lambda: _check_time(authority))

    async def watch_clock() -> None:
        while True:
            await _check_time(authority)
            await asyncio.sleep(_CLOCK_WATCH_SECONDS)

    await serve(
        [
            Listener(
                application,
                settings.listen.host,
                settings.listen.port,
                name="time-stamp requests",
                setting="listen.port",
            ),
            Listener(
                health,
                settings.management.host,
                settings.management.port,
                name="management",
                setting="management.port",
                closes_last=True,
            ),
        ],
        background=[watch_clock],
        drain_seconds=settings.drain_seconds,
        on_drain=[health.announce_draining],
        ready=ready,
    )


async def _check_time(authority: Authority) -> CheckResult:
    try:
        authority.require_time()
    except TimeNotAvailableError as error:
        return CheckResult(False, error.reason, str(error))
    return CheckResult(True)
