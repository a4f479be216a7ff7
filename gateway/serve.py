"""The gateway as a process: its parts put together, its listeners, and what runs beside them."""

import asyncio

import aiohttp
import structlog

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.errors import AnchorError
from gateway.catalogue_keeper import CatalogueKeeper
from gateway.configuration import ConfigurationStore
from gateway.errors import EnrolmentError
from gateway.faults import Fault, Place
from gateway.identity import load_identity
from gateway.information_system_listeners import InformationSystemListeners
from gateway.parts import Parts
from gateway.peer_client import PeerClient
from gateway.peer_requests import PeerRequests
from gateway.query_log import QueryLog
from gateway.service_client import ServiceClient
from gateway.settings import GatewaySettings
from gateway.way.s3_receive import known_peer
from service_runtime.database import open_engine, require_migrated
from service_runtime.errors import StampingError
from service_runtime.health import CheckResult, Health
from service_runtime.logs import configure_logs
from service_runtime.serving import Listener, serve
from service_runtime.serving import run as run_loop
from service_runtime.stamping import Stamper
from service_runtime.status_answers import StatusAnswers
from service_runtime.tls import client_context, server_context
from service_runtime.trust_services import TrustServices

_CONFIGURATION_SECONDS = 1.0
_log = structlog.get_logger("gateway")


def run(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises what keeps the gateway from starting: EnrolmentError, DatabaseError, QueryLogError, ListenError,
    KeyFileError, TlsError.
    """
    configure_logs("gateway", settings.log_level)
    run_loop(_Gateway(settings).serve())


class _Gateway:
    """Puts the parts together; everything that needs the event loop is made in :meth:`serve`."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._anchor = _anchor(settings)
        self._identity = load_identity(settings, self._anchor)
        self._engine = open_engine(settings.database_url)
        require_migrated(self._engine, "gateway", "xacbe gateway migrate")
        self._configuration = ConfigurationStore(self._engine)
        self._log = QueryLog(
            self._engine,
            refusals_per_second=settings.refusals.per_second,
            refusal_burst=settings.refusals.burst,
        )

    async def serve(self) -> None:
        """Start, serve, drain."""
        settings = self._settings
        registry = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=client_context(server_cas=[self._anchor.root])), trust_env=False
        )
        trust = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=30.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        catalogue = CatalogueKeeper(self._anchor, settings.state_directory / "catalogue.asice", registry)
        catalogue.load()
        parts = self._parts(catalogue, trust)
        peers = self._peers_listener(parts)
        systems = InformationSystemListeners(parts)
        catalogue.changed.append(lambda newest: _close_excluded(peers, newest))
        health = self._health(parts)
        management = Listener(
            health,
            settings.listeners.management.host,
            settings.listeners.management.port,
            name="management",
            setting="listeners.management.port",
            closes_last=True,
        )
        self._log.start()
        await serve(
            [*systems.listeners, peers, management],
            background=[catalogue.follow, lambda: self._follow_configuration(systems)],
            drain_seconds=settings.drain_seconds,
            on_drain=[health.announce_draining],
            on_stop=[
                parts.peers.close,
                parts.services.close,
                registry.close,
                trust.close,
                lambda: asyncio.to_thread(self._log.close),
            ],
        )

    def _parts(self, catalogue: CatalogueKeeper, trust: aiohttp.ClientSession) -> Parts:
        settings, times, limits = self._settings, self._settings.time, self._settings.limits

        def trust_services() -> TrustServices:
            try:
                return TrustServices.of(catalogue.current(Place.CONSUMER))
            except Fault as fault:
                # Whose place it is, and whether a service was called by then, is for the step that stamps.
                raise StampingError(fault.reason, fault.message, fault.advice) from None

        return Parts(
            settings=settings,
            identity=self._identity,
            anchor=self._anchor,
            catalogue=catalogue,
            configuration=lambda: self._configuration.current,
            stamper=Stamper(
                trust,
                trust_services,
                StatusAnswers(trust, settings.state_directory / "status", timeout=times.status_timeout_seconds),
                timeout=times.timestamp_timeout_seconds,
            ),
            log=self._log,
            peers=PeerClient(
                self._anchor.root,
                self._identity.tls,
                connect_timeout=times.connect_timeout_seconds,
                timeout=times.request_timeout_seconds,
                max_answer=limits.max_container_bytes,
                max_connections=limits.max_concurrent_client,
            ),
            services=ServiceClient(connect_timeout=times.connect_timeout_seconds, max_body=limits.max_body_bytes),
        )

    def _peers_listener(self, parts: Parts) -> Listener:
        address = self._settings.listeners.peers
        return Listener(
            PeerRequests(parts),
            address.host,
            address.port,
            name="peers",
            setting="listeners.peers.port",
            date_header=False,
            ssl_context=server_context(self._identity.tls, client_cas=[self._anchor.root, *self._identity.authorities]),
        )

    async def _follow_configuration(self, systems: InformationSystemListeners) -> None:
        """Take over what ``xacbe gateway apply`` changes."""
        while True:
            await asyncio.sleep(_CONFIGURATION_SECONDS)
            try:
                if await asyncio.to_thread(self._configuration.refresh):
                    systems.take_over(self._configuration.current)
                    _log.info("configuration-taken-over", revision=self._configuration.current.revision)
            except Exception as error:
                # Whatever is wrong with what was applied: the configuration in force goes on, and so does the gateway.
                _log.exception("configuration-not-taken-over", error=type(error).__name__)

    def _health(self, parts: Parts) -> Health:
        health = Health("gateway")

        async def catalogue() -> CheckResult:
            try:
                parts.catalogue.current(Place.CONSUMER)
            except Fault as fault:
                return CheckResult(False, fault.reason, fault.advice)
            return CheckResult(True)

        async def query_log() -> CheckResult:
            problem = parts.log.problem
            return CheckResult(problem is None, problem or "", "Check disk and database." if problem else "")

        async def registered() -> CheckResult:
            newest = parts.catalogue.newest
            if newest is None or newest.server(parts.identity.server) is None:
                return CheckResult(
                    False, "server-unknown", "Have this gateway registered in the registry (xacbe registry apply)."
                )
            return CheckResult(True)

        health.add_check("catalogue", catalogue)
        health.add_check("query-log", query_log)
        health.add_check("registered", registered)
        return health


def _anchor(settings: GatewaySettings) -> TrustAnchor:
    try:
        return TrustAnchor.load(settings.anchor_path.read_bytes())
    except (OSError, AnchorError) as error:
        raise EnrolmentError(
            "file-unreadable",
            f"The trust anchor {settings.anchor_path} cannot be read: {error}",
            "Get anchor.json from the central administrator and compare its fingerprint with them.",
        ) from None


def _close_excluded(peers: Listener, newest: Catalogue) -> None:
    """Close the connections of whoever a new catalogue does not know, or no longer allows, as a peer."""

    def excluded(certificate: bytes | None) -> bool:
        try:
            known_peer(certificate, newest)
        except Fault:
            return True
        return False

    closed = peers.close_connections(excluded)
    if closed:
        _log.warning("peer-connections-closed", connections=closed, catalogue=newest.version)
