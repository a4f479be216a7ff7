"""The newest catalogue in memory, and those who wait for a newer one."""

import asyncio
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Published:
    """A catalogue that is out: its version, the stamped container, the revision it says, and its times (UTC)."""

    version: int
    container: bytes
    revision: int
    published_at: datetime
    expires_at: datetime


class NoticeBoard:
    """Holds the newest catalogue. To be used in the event loop's thread alone."""

    def __init__(self) -> None:
        self._newest: Published | None = None
        self._news = asyncio.Event()
        self._closed = False
        self._waiting = 0

    @property
    def newest(self) -> Published | None:
        """The newest catalogue; None before the first."""
        return self._newest

    @property
    def waiting(self) -> int:
        """How many wait for a newer one."""
        return self._waiting

    def put_up(self, published: Published) -> None:
        """Make this the newest and tell everybody who waits. One that is not newer is left aside."""
        if self._newest is not None and published.version <= self._newest.version:
            return
        self._newest = published
        self._wake()

    def close(self) -> None:
        """Let nobody wait any more: the process is stopping."""
        self._closed = True
        self._wake()

    async def newer_than(self, version: int, seconds: float) -> Published | None:
        """The newest catalogue as soon as its version is above `version`; None when that does not come in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._waiting += 1
        try:
            while True:
                if self._newest is not None and self._newest.version > version:
                    return self._newest
                remaining = deadline - loop.time()
                if self._closed or remaining <= 0:
                    return None
                try:
                    async with asyncio.timeout(remaining):
                        await self._news.wait()
                except TimeoutError:
                    return None
        finally:
            self._waiting -= 1

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
