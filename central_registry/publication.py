"""Publishing: whenever the data changed, and hourly when it did not, a new stamped catalogue.

The command line changes the database from processes of its own; a revision number that every change advances tells
the running registry. When no timestamp or status answer can be had, the catalogue that is out stays out, and
stamping is tried again until it works.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from central_registry.catalogue_contents import build_catalogue
from central_registry.models import CatalogueVersion, Revision
from central_registry.notice_board import NoticeBoard, Published
from central_registry.settings import CatalogueSettings
from estamp.catalogue import CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE
from estamp.container import Entry
from estamp.errors import EstampError
from service_runtime.database import reading
from service_runtime.errors import ServiceError
from service_runtime.health import CheckResult

LOOK_EVERY = 0.2
"""Seconds between two looks at the revision; with the stamping itself, a change is out well within a second."""

FIRST_RETRY, LONGEST_RETRY = 0.25, 5.0
"""Seconds to wait after a failed attempt: at first, and at most, doubling in between."""

_log = structlog.get_logger("publication")

Stamp = Callable[[Sequence[Entry]], Awaitable[bytes]]
"""Stamps entries with the catalogue signer's key; raises ServiceError or EstampError."""


class Publisher:
    """Keeps the board's catalogue current; `run` is the process's background task."""

    def __init__(
        self, engine: Engine, instance: str, settings: CatalogueSettings, stamp: Stamp, board: NoticeBoard
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._settings = settings
        self._stamp = stamp
        self._board = board
        self._failure: tuple[str, str] | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        wait = FIRST_RETRY
        while True:
            try:
                published = await self.publish_if_due()
            except (ServiceError, EstampError, SQLAlchemyError) as error:
                self._tell_failure(error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_RETRY)
                continue
            if published and self._failure is not None:
                _log.info("publishing-works-again")
            self._failure, wait = None, FIRST_RETRY
            await asyncio.sleep(LOOK_EVERY)

    async def publish_if_due(self) -> bool:
        """Publish when the data changed or the newest catalogue is an hour old; whether that was so.

        Raises StampingError and other ServiceErrors when it was due and could not be done.
        """
        revision, newest = await asyncio.to_thread(self._look)
        if newest is not None:
            # Stored by an earlier run, or by another process of this registry.
            self._board.put_up(newest)
        if newest is not None and newest.revision == revision and not self._is_old(newest):
            return False
        version = newest.version + 1 if newest is not None else 1
        now = datetime.now(UTC)
        data, expires_at = await asyncio.to_thread(self._build, version, now)
        container = await self._stamp([Entry(CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, data)])
        published = Published(version, container, revision, now, expires_at)
        # Durable first: a version that was handed out is never made a second time.
        await asyncio.to_thread(self._store, published)
        self._board.put_up(published)
        _log.info("catalogue-published", version=published.version, revision=published.revision, bytes=len(container))
        return True

    async def check(self) -> CheckResult:
        """For /health/ready: whether a catalogue is out, is not expired, and could be renewed."""
        newest = self._board.newest
        if self._failure is not None:
            return CheckResult(False, *self._failure)
        if newest is None:
            return CheckResult(False, "no-catalogue-yet", "The first catalogue is being stamped.")
        if newest.expires_at <= datetime.now(UTC):
            return CheckResult(False, "catalogue-expired", "The newest catalogue expired; see the log for the reason.")
        return CheckResult(True)

    def _look(self) -> tuple[int, Published | None]:
        with Session(reading(self._engine)) as session:
            revision = session.scalars(select(Revision.number)).one()
            last = session.scalar(select(func.max(CatalogueVersion.version)))
        newest = self._board.newest
        if last is not None and (newest is None or last > newest.version):
            newest = load_published(self._engine)
        return revision, newest

    def _is_old(self, newest: Published) -> bool:
        # The distance either way: after the clock was set back, an hour ahead is as stale as an hour behind.
        age = abs(datetime.now(UTC) - newest.published_at)
        return age >= timedelta(seconds=min(self._settings.restamp_seconds, self._settings.lifetime_seconds / 2))

    def _build(self, version: int, now: datetime) -> tuple[bytes, datetime]:
        with Session(reading(self._engine)) as session:
            catalogue = build_catalogue(session, self._instance, version, now, self._settings)
        return catalogue.dump(), catalogue.expires_at

    def _store(self, published: Published) -> None:
        with Session(self._engine) as session, session.begin():
            session.add(
                CatalogueVersion(
                    version=published.version,
                    container=published.container,
                    revision=published.revision,
                    published_at=published.published_at,
                    expires_at=published.expires_at,
                )
            )

    def _tell_failure(self, error: Exception) -> None:
        if isinstance(error, ServiceError):
            failure = error.reason, f"{error.message} {error.advice}".rstrip()
        elif isinstance(error, EstampError):
            failure = error.reason, error.message
        else:
            failure = "database-failed", "The database refused; see the log."
        if failure != self._failure:
            _log.error("catalogue-not-published", reason=failure[0], message=failure[1], exc_info=error)
        self._failure = failure


def load_published(engine: Engine, version: int | None = None) -> Published | None:
    """The stored catalogue of this version, or the newest; None when there is none."""
    query = select(CatalogueVersion).order_by(CatalogueVersion.version.desc()).limit(1)
    if version is not None:
        query = query.where(CatalogueVersion.version == version)
    with Session(reading(engine)) as session:
        row = session.scalar(query)
        if row is None:
            return None
        return Published(row.version, row.container, row.revision, row.published_at, row.expires_at)
