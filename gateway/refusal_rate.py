"""How many refusals are written down: anyone can cause them, so they must not be able to fill the disk."""

import threading
from datetime import datetime

from gateway.log_entries import Refusal, Side

SUMMARY_SECONDS = 60.0
"""While refusals are being left out, how often a row says how many there were."""


class RefusalRate:
    """A token bucket: `per_second` refusals in the long run, `burst` at once; the others are only counted."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at: float | None = None
        self._dropped: dict[Side, int] = {}
        self._dropping_since: float | None = None
        self._lock = threading.Lock()

    def admit(self, side: Side, now: float) -> bool:
        """Whether one more refusal at `now` (monotonic seconds) may be written; if not, it is counted."""
        with self._lock:
            if self._filled_at is not None:
                self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
            self._filled_at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return True
            self._dropped[side] = self._dropped.get(side, 0) + 1
            if self._dropping_since is None:
                self._dropping_since = now
            return False

    def summaries(self, now: float, at: datetime, *, final: bool = False) -> list[Refusal]:
        """The rows that say how many were left out; empty until SUMMARY_SECONDS after the first, unless `final`."""
        with self._lock:
            if self._dropping_since is None or (now - self._dropping_since < SUMMARY_SECONDS and not final):
                return []
            dropped, seconds = self._dropped, now - self._dropping_since
            self._dropped, self._dropping_since = {}, None
        return [
            Refusal(
                at=at,
                side=side,
                place="query-log",
                reason="refusals-not-recorded",
                type="",
                detail=f"{count} further refusals within {seconds:.0f} seconds were counted but not recorded.",
            )
            for side, count in dropped.items()
        ]
