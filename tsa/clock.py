"""The authority's clock: the system's, and a watch over it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from tsa.errors import TimeNotAvailableError

_TOLERATED_NS = 1_000_000_000


class Clock:
    """Reads the system clock, and refuses to when that was set back.

    Two clocks of the system advance alike: the one that tells the time, and one that only counts. When the first loses
    more than a second against the second, somebody set it back, and tokens made now could claim to be older than tokens
    made before. The clock is then not available until it has passed the time that it should show, so that an
    authority's times never run backwards; set forward, it is followed. ``wall`` and ``steady`` give nanoseconds.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        self._wall = wall
        self._steady = steady
        self._lead = wall() - steady()
        self._resume_at: int | None = None

    def nanoseconds(self) -> int:
        """Return the time in nanoseconds since 1970; raise TimeNotAvailableError after the clock was set back."""
        now = self._wall()
        lead = now - self._steady()
        if lead < self._lead - _TOLERATED_NS and self._resume_at is None:
            self._resume_at = now + self._lead - lead
        if self._resume_at is not None:
            if now < self._resume_at:
                raise TimeNotAvailableError(
                    "clock-set-back",
                    f"The system clock was set back; it is {(self._resume_at - now) / 1e9:.1f} seconds "
                    "behind what it should show, and no time is given until it has caught up.",
                    "Check the machine's time synchronisation. If it was wrong before and is right now, restart.",
                )
            self._resume_at = None
            self._lead = lead
        self._lead = max(self._lead, lead)
        return now


def moment(nanoseconds: int) -> datetime:
    """Return nanoseconds since 1970 as a datetime in UTC, in whole seconds."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
