"""The registry's process: settings in, listeners and the publisher running."""

from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client import Gauge
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_registry.application import make_application
from central_registry.certificate_records import ISSUING_CA
from central_registry.database import open_registry_database
from central_registry.errors import StateError
from central_registry.models import Certificate, Revision
from central_registry.notice_board import NoticeBoard
from central_registry.publication import Publisher
from central_registry.settings import RegistrySettings
from central_registry.signed_feed import SignedFeed
from central_registry.state_folder import StateFolder, key_passphrase, load_anchor, read_certificate, read_key
from central_registry.trust_service_addresses import read_trust_services, set_addresses
from estamp.anchor import TrustAnchor
from estamp.certificates import load_certificate
from estamp.container import Entry
from estamp.stamp import Signer
from service_runtime.database import reading
from service_runtime.health import CheckResult, Health
from service_runtime.listeners import Listener
from service_runtime.logs import configure_logs
from service_runtime.serving import run, serve
from service_runtime.stamping import Stamper
from service_runtime.status_answers import StatusAnswers
from service_runtime.tls import Identity, server_context
from service_runtime.trust_services import TrustServices

_log = structlog.get_logger("registry")

CATALOGUE_VERSION = Gauge("xacbe_registry_catalogue_version", "Version of the newest catalogue; 0 before the first")
CATALOGUE_EXPIRY = Gauge("xacbe_registry_catalogue_expiry_seconds", "When the newest catalogue expires, in Unix time")
CATALOGUE_WAITING = Gauge("xacbe_registry_catalogue_waiting", "Requests held until a newer catalogue is published")


def serve_registry(settings: RegistrySettings) -> None:
    """Run the registry until SIGTERM or SIGINT.

    Raises ServiceError (settings, state folder, keys, database, busy ports) before anything listens.
    """
    configure_logs("registry", settings.log_level)
    anchor = load_anchor(settings)
    with open_registry_database(settings) as engine:
        with Session(engine) as session, session.begin():
            if set_addresses(session, settings.addresses, datetime.now(UTC)):
                _log.info("addresses-of-trust-services-changed")
        run(_serve(settings, anchor, engine))


async def _serve(settings: RegistrySettings, anchor: TrustAnchor, engine: Engine) -> None:
    state = StateFolder(settings.state)
    signer, feed_key = _load_signer(settings, anchor)
    board = NoticeBoard()
    _figures(board)
    feed = SignedFeed(engine, settings.instance, feed_key, signer.certificate)
    async with aiohttp.ClientSession() as client:
        stamper = Stamper(client, lambda: _trust_services(engine), StatusAnswers(client, state.status_answers))

        async def stamp(entries: Sequence[Entry]) -> bytes:
            return await stamper.stamp(entries, signer)

        publisher = Publisher(engine, settings.instance, settings.catalogue, stamp, board)
        health = _health(engine, publisher)
        await serve(
            _listeners(settings, engine, board, feed, health),
            background=[publisher.run],
            drain_seconds=settings.drain_seconds,
            on_drain=[health.announce_draining, board.close],
        )


def issuing_certificates(engine: Engine) -> bytes:
    """The certificates of the issuing CAs that are neither revoked nor expired, PEM."""
    with Session(reading(engine)) as session:
        rows = session.scalars(
            select(Certificate.der).where(
                Certificate.kind == ISSUING_CA,
                Certificate.revoked_at.is_(None),
                Certificate.expires_at > datetime.now(UTC),
            )
        ).all()
    return b"".join(load_certificate(der).public_bytes(Encoding.PEM) for der in rows)


def _trust_services(engine: Engine) -> TrustServices:
    # Read anew for each catalogue, so that a TSA or responder that was revoked is asked no more.
    with Session(reading(engine)) as session:
        return read_trust_services(session, datetime.now(UTC))


def _listeners(
    settings: RegistrySettings, engine: Engine, board: NoticeBoard, feed: SignedFeed, health: Health
) -> list[Listener]:
    tls = StateFolder(settings.state).tls
    identity = Identity(tls / "chain.pem", tls / "key.pem", key_passphrase(settings))
    return [
        Listener(
            make_application(board, feed, lambda: issuing_certificates(engine)),
            settings.listen.host,
            settings.listen.port,
            name="gateways",
            setting="listen.port",
            ssl_context=server_context(identity),
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


def _load_signer(settings: RegistrySettings, anchor: TrustAnchor) -> tuple[Signer, ec.EllipticCurvePrivateKey]:
    folder = StateFolder(settings.state).catalogue_signer
    certificate: x509.Certificate = read_certificate(folder / "certificate.pem")
    key = read_key(folder, settings)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise StateError(
            "catalogue-signer-key",
            f"The key in {folder} is not the one that its certificate and the trust anchor name.",
            "Restore the folder from a backup.",
        )
    return Signer(certificate, key, anchor.root), key


def _health(engine: Engine, publisher: Publisher) -> Health:
    health = Health("registry")

    async def database() -> CheckResult:
        with Session(reading(engine)) as session:
            session.scalars(select(Revision.number)).one()
        return CheckResult(True)

    health.add_check("database", database)
    health.add_check("catalogue", publisher.check)
    return health


def _figures(board: NoticeBoard) -> None:
    CATALOGUE_VERSION.set_function(lambda: board.newest.version if board.newest else 0)
    CATALOGUE_EXPIRY.set_function(lambda: board.newest.expires_at.timestamp() if board.newest else 0)
    CATALOGUE_WAITING.set_function(lambda: board.waiting)
