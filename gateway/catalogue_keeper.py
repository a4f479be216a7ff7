"""The newest catalogue: taken from the registry, kept on disk, never replaced by an older, expired or foreign one.

The gateway works on with the one that it has while the registry is away, until that one expires.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import structlog

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.verification import Policy, verify_catalogue
from gateway.faults import Fault, Place
from service_runtime.errors import FileWriteError
from service_runtime.keys import write_atomically

_HELD_SECONDS = 20
_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 5.0
_MAX_CATALOGUE_BYTES = 64 * 1024 * 1024
_OK, _NOT_MODIFIED = 200, 304
_log = structlog.get_logger("catalogue")


class CatalogueKeeper:
    """Holds the newest catalogue and follows the registry.

    ``file`` is where it is kept; ``session`` a client whose TLS trusts the anchor's root alone. ``changed`` is called,
    in the event loop, after each newer version has been taken over.
    """

    def __init__(self, anchor: TrustAnchor, file: Path, session: aiohttp.ClientSession) -> None:
        self._anchor = anchor
        self._file = file
        self._session = session
        self._catalogue: Catalogue | None = None
        self._container = b""
        self.changed: list[Callable[[Catalogue], None]] = []
        self.problem: str | None = None

    @property
    def newest(self) -> Catalogue | None:
        """The newest catalogue at hand, expired or not; None before the first."""
        return self._catalogue

    @property
    def container(self) -> bytes:
        """The stamped container of :attr:`newest`, empty before the first."""
        return self._container

    def current(self, place: Place) -> Catalogue:
        """The catalogue to decide by now; raises Fault ``catalogue-missing`` or ``catalogue-expired``."""
        if self._catalogue is None:
            raise Fault("catalogue-missing", "This gateway has no catalogue yet.", place)
        if self._catalogue.expired(datetime.now(UTC)):
            raise Fault(
                "catalogue-expired", f"The newest catalogue here expired at {self._catalogue.expires_at}.", place
            )
        return self._catalogue

    def load(self) -> None:
        """Take over the catalogue kept on disk, if there is one that can be believed, even when it has expired."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return
        # Not judged by the clock: an expired one still bounds which versions are newer. `current` refuses its use.
        verdict, catalogue = verify_catalogue(data, self._anchor, Policy(datetime.now(UTC)))
        if catalogue is None:
            _log.error("kept-catalogue-refused", reason=verdict.reason, file=str(self._file))
            return
        self._catalogue, self._container = catalogue, data

    async def follow(self) -> None:
        """Take over each new version as it is published; runs until cancelled."""
        pause = _RETRY_SECONDS
        while True:
            try:
                await self._refresh()
                pause = _RETRY_SECONDS
            except _UnusableError as error:
                self.problem = str(error)
                _log.warning("catalogue-not-refreshed", error=self.problem)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)

    async def _refresh(self) -> None:
        failures: list[str] = []
        for address in self._anchor.registry_addresses:
            asked_at = time.monotonic()
            try:
                container = await self._fetch(address)
                if container is not None:
                    await self._take_over(container)
            except (aiohttp.ClientError, OSError, TimeoutError, _UnusableError) as error:
                failures.append(f"{address}: {str(error) or type(error).__name__}")
                continue
            self.problem = None
            if container is None and time.monotonic() - asked_at < _RETRY_SECONDS:
                # A registry holds the question until there is news; something between us answers at once.
                await asyncio.sleep(_RETRY_SECONDS)
            return
        raise _UnusableError("; ".join(failures) or "the trust anchor names no registry")

    async def _fetch(self, address: str) -> bytes | None:
        have = self._catalogue.version if self._catalogue else 0
        async with self._session.get(
            f"{address.rstrip('/')}/catalogue",
            params={"newer-than": str(have), "wait": str(_HELD_SECONDS)},
            timeout=aiohttp.ClientTimeout(total=_HELD_SECONDS + 10),
            allow_redirects=False,
        ) as answer:
            if answer.status == _NOT_MODIFIED:
                return None
            if answer.status != _OK:
                raise _UnusableError(f"the registry answered with HTTP status {answer.status}")
            chunks = bytearray()
            async for chunk in answer.content.iter_any():
                chunks += chunk
                if len(chunks) > _MAX_CATALOGUE_BYTES:
                    raise _UnusableError("the catalogue is larger than any should be")
            return bytes(chunks)

    async def _take_over(self, container: bytes) -> None:
        verdict, catalogue = await asyncio.to_thread(
            verify_catalogue, container, self._anchor, Policy(datetime.now(UTC), live=True)
        )
        if catalogue is None:
            raise _UnusableError(f"the published catalogue was refused: {verdict.reason}")
        if self._catalogue is not None and catalogue.version <= self._catalogue.version:
            raise _UnusableError(
                f"the registry offers catalogue {catalogue.version}, not newer than {self._catalogue.version}"
            )
        # In force before it is on disk: neither a slow disk nor a full one may hide who is suspended or revoked.
        self._catalogue, self._container = catalogue, container
        _log.info("catalogue-taken-over", version=catalogue.version, expires_at=catalogue.expires_at.isoformat())
        for call in self.changed:
            call(catalogue)
        try:
            await asyncio.to_thread(write_atomically, self._file, container, 0o644)
        except FileWriteError as error:
            _log.error("catalogue-not-kept", version=catalogue.version, error=error.message)


class _UnusableError(Exception):
    """The registry's answer cannot be used; the next try may."""
