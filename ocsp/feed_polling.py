"""Fetching the status feed from the registry, over TLS that trusts the anchor's root alone."""

import asyncio
import time
from datetime import UTC, datetime

import httpx
import structlog

from estamp.anchor import TrustAnchor
from ocsp.errors import FeedCopyError, OcspError
from ocsp.feed_copy import FeedCopy
from ocsp.settings import FeedSettings
from service_runtime.errors import FileWriteError
from service_runtime.tls import client_context

_LOG = structlog.get_logger("ocsp.feed")

_WHOLE_AGAIN_SECONDS = 30.0

PATH = "/status-feed"
"""Where a registry serves its feed."""


class FeedPoller:
    """Asks the registry again and again whether there is a newer feed, and gives it to the copy."""

    def __init__(self, settings: FeedSettings, anchor: TrustAnchor, copy: FeedCopy) -> None:
        """Raises OcspError (`ocsp-feed-address-missing`) when neither the settings nor the anchor name a registry."""
        self._settings = settings
        self._copy = copy
        self._url = settings.url or _address_of(anchor)
        # Host names are checked too: every gateway's certificate chains to the root, but none carries a host name.
        self._tls = client_context(server_cas=[anchor.root])
        self._etag: str | None = None
        self._fetched_whole_at = float("-inf")
        # "Not modified" is said by TLS alone, and proves no freshness: only a signature does. Fetched whole now and
        # then, the copy stays far from its greatest age, on disk too.
        self._whole_again_seconds = min(_WHOLE_AGAIN_SECONDS, settings.max_age_seconds / 4)
        self._last_problem: str | None = None

    @property
    def last_problem(self) -> str | None:
        """Why the last attempt failed; None when it did not."""
        return self._last_problem

    async def run(self) -> None:
        """Poll until cancelled. A failure is logged when it begins and when it ends, not each second in between."""
        timeout = httpx.Timeout(self._settings.timeout_seconds)
        # trust_env: a proxy variable of the machine must not redirect what the anchor pins.
        async with httpx.AsyncClient(verify=self._tls, timeout=timeout, trust_env=False) as client:
            while True:
                self._note(await self._attempt(client))
                await asyncio.sleep(self._settings.poll_seconds)

    async def _attempt(self, client: httpx.AsyncClient) -> str | None:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds * 2):
                await self._poll(client)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            return f"{self._url} did not answer: {type(error).__name__} {error}".rstrip()
        except (OcspError, FileWriteError) as error:
            return str(error)
        except Exception as error:
            # The copy held goes on serving until it is stale; a task that ended would leave nobody to refresh it.
            _LOG.exception("status-feed-poll-failed")
            return f"The feed could not be taken in: {type(error).__name__}."
        return None

    async def _poll(self, client: httpx.AsyncClient) -> None:
        # What the registry says was true when it was asked, not when the answer came.
        asked_at = datetime.now(UTC)
        # Uncompressed, so that the limit on its size is one on memory too.
        headers = {"Accept-Encoding": "identity"}
        is_due = time.monotonic() - self._fetched_whole_at >= self._whole_again_seconds
        if self._etag and not is_due:
            headers["If-None-Match"] = self._etag
        async with client.stream("GET", self._url, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and "If-None-Match" in headers:
                return
            if response.status_code != httpx.codes.OK:
                raise FeedCopyError(
                    "ocsp-feed-refused",
                    f"{self._url} answered {response.status_code}.",
                    "See the registry's log, and that the address is the registry's.",
                )
            data = await self._bounded(response)
            # The threads' pool, because a large feed takes a while to read and to sync to disk.
            if await asyncio.to_thread(self._copy.accept, data, asked_at):
                _LOG.info("status-feed-taken-in", version=self._copy.version, size_bytes=len(data))
            self._etag = response.headers.get("ETag")
            self._fetched_whole_at = time.monotonic()

    async def _bounded(self, response: httpx.Response) -> bytes:
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > self._settings.max_bytes:
                raise FeedCopyError(
                    "ocsp-feed-too-large",
                    f"{self._url} sent more than {self._settings.max_bytes} bytes.",
                    "If the registry has grown that large, raise feed.max_bytes.",
                )
        return bytes(data)

    def _note(self, problem: str | None) -> None:
        if problem is not None and problem != self._last_problem:
            _LOG.warning("status-feed-not-fetched", problem=problem)
        elif problem is None and self._last_problem is not None:
            _LOG.info("status-feed-fetched-again")
        self._last_problem = problem


def _address_of(anchor: TrustAnchor) -> str:
    if not anchor.registry_addresses:
        raise OcspError(
            "ocsp-feed-address-missing",
            "Neither the settings nor the trust anchor name the registry's address.",
            "Set feed.url, for example https://registry.example:4001/status-feed.",
        )
    return anchor.registry_addresses[0].rstrip("/") + PATH
