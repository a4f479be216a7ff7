"""The responder's process: settings in, listeners and feed polling running."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import Gauge

from estamp.anchor import TrustAnchor
from estamp.errors import AnchorError
from ocsp.answers import Responder
from ocsp.application import OcspApplication
from ocsp.errors import OcspError, StaleCopyError
from ocsp.feed_copy import FeedCopy
from ocsp.feed_polling import FeedPoller
from ocsp.issuers import ServedIssuers, load_issuers
from ocsp.settings import OcspSettings
from service_runtime.health import CheckResult, Health
from service_runtime.listeners import Listener
from service_runtime.logs import configure_logs
from service_runtime.serving import run, serve

_LOG = structlog.get_logger("ocsp")

FEED_AGE = Gauge("xacbe_ocsp_feed_age_seconds", "Seconds since the registry last confirmed the status feed")
FEED_VERSION = Gauge("xacbe_ocsp_feed_version", "Version of the status feed that is held")


def serve_ocsp(settings: OcspSettings) -> None:
    """Run the responder until SIGTERM or SIGINT.

    Raises ServiceError (settings, certificates, keys, feed file, busy ports) before anything listens.
    """
    configure_logs("ocsp", settings.log_level)
    now = datetime.now(UTC)
    anchor = _load_anchor(settings.anchor)
    issuers = load_issuers(settings.issuers, anchor.instance, now)
    max_age = timedelta(seconds=settings.feed.max_age_seconds)
    copy = FeedCopy(settings.feed.file, anchor.catalogue_signer_key, anchor.instance, max_age)
    copy.load(now)
    poller = FeedPoller(settings.feed, anchor, copy)
    application = OcspApplication(
        Responder(issuers, copy, timedelta(seconds=settings.validity_seconds)),
        max_request_bytes=settings.listen.max_request_bytes,
        body_timeout_seconds=settings.listen.body_timeout_seconds,
        cache_seconds=math.ceil(settings.feed.poll_seconds),
    )
    health = _health(issuers, copy, poller)
    _figures(copy)
    listeners = [
        Listener(
            application, settings.listen.host, settings.listen.port, name="status requests", setting="listen.port"
        ),
        Listener(
            health,
            settings.management.host,
            settings.management.port,
            name="management",
            setting="management.port",
            closes_last=True,
        ),
    ]

    def announce() -> None:
        _LOG.info("serving", addresses={each.name: each.url for each in listeners}, feed_version=copy.version)

    run(
        serve(
            listeners,
            background=[poller.run],
            drain_seconds=settings.drain_seconds,
            ready=announce,
            on_drain=[health.announce_draining],
        )
    )


def _load_anchor(path: Path) -> TrustAnchor:
    try:
        return TrustAnchor.load(path.read_bytes())
    except (OSError, AnchorError) as error:
        why = error.strerror if isinstance(error, OSError) else error.message
        raise OcspError(
            "ocsp-anchor-unusable",
            f"The trust anchor {path} cannot be used: {why}",
            "Export it from the registry with: xacbe registry anchor",
        ) from error


def _health(issuers: ServedIssuers, copy: FeedCopy, poller: FeedPoller) -> Health:
    health = Health("ocsp")

    async def feed() -> CheckResult:
        try:
            for issuer in issuers:
                copy.require_fresh(issuer.fingerprint, datetime.now(UTC))
        except StaleCopyError as error:
            return CheckResult(False, error.reason, poller.last_problem or error.advice)
        return CheckResult(True)

    async def certificates() -> CheckResult:
        now = datetime.now(UTC)
        for issuer in issuers:
            if now > issuer.responder.not_valid_after_utc:
                name = issuer.responder.subject.rfc4514_string()
                advice = f"Ask the registry for a new responder certificate for {name}, and restart."
                return CheckResult(False, "ocsp-certificate-not-valid", advice)
        return CheckResult(True)

    health.add_check("feed", feed)
    health.add_check("certificates", certificates)
    return health


def _figures(copy: FeedCopy) -> None:
    def age() -> float:
        known = copy.age(datetime.now(UTC))
        return math.inf if known is None else known.total_seconds()

    FEED_AGE.set_function(age)
    FEED_VERSION.set_function(lambda: copy.version)
