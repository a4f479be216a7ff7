"""The gateway's figures for monitoring, as Prometheus metrics on the management listener."""

from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter, Histogram

from gateway.fault_table import ROWS

ANSWERED: Final = "answered"
STAMPED_FAULT: Final = "stamped-fault"
_OUTCOMES = frozenset({ANSWERED, STAMPED_FAULT, *ROWS})
_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted on the message's way.

    ``outcome`` is ``answered``, the reason of a fault, ``stamped-fault`` for one that a provider's gateway stamped, or
    ``other``: what a peer calls its refusal must not become a time series each.
    """

    exchanges: Counter = field(
        default_factory=lambda: Counter("xacbe_exchanges", "Exchanges by side and outcome.", ("side", "outcome"))
    )
    seconds: Histogram = field(
        default_factory=lambda: Histogram(
            "xacbe_exchange_seconds", "Time of a whole exchange by side.", ("side",), buckets=_LATENCIES
        )
    )

    def count(self, side: str, outcome: str, seconds: float) -> None:
        """Count one exchange that took ``seconds``."""
        self.exchanges.labels(side, outcome if outcome in _OUTCOMES else "other").inc()
        self.seconds.labels(side).observe(seconds)
