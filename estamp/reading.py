"""What the checks of a verification read of a container, each for those after it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.message import AnswerHead, Direction, RequestHead
from estamp.signature import SignatureFields
from estamp.status import StatusAnswer
from estamp.timestamp import Timestamp

DEFAULT_TOLERANCE: Final = timedelta(minutes=5)
"""How far the signed SigningTime may lie from the timestamp, and on live traffic from the receiver's clock."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How strict to be about time.

    ``at`` is the verifier's clock. On ``live`` traffic the signing time must lie within ``tolerance`` of it; for
    evidence it only must not lie before the timestamp by more than that.
    """

    at: datetime
    live: bool = False
    tolerance: timedelta = DEFAULT_TOLERANCE


@dataclass(slots=True)
class Reading:
    """What the steps have read so far, each for those after it."""

    container: bytes
    anchor: TrustAnchor
    policy: Policy
    catalogue: Catalogue | None
    files: dict[str, bytes] = field(default_factory=dict)
    signed: list[tuple[str, bytes]] = field(default_factory=list)
    fields: SignatureFields | None = None
    issuing: x509.Certificate | None = None
    timestamp: Timestamp | None = None
    status: StatusAnswer | None = None
    direction: Direction | None = None
    head: RequestHead | AnswerHead | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def signature(self) -> SignatureFields:
        """The signature's fields; only for checks after the one that reads them."""
        assert self.fields is not None
        return self.fields

    @property
    def stamped_at(self) -> datetime:
        """The time of the timestamp; only for checks after the one that reads it."""
        assert self.timestamp is not None
        return self.timestamp.time


class NotChecked(Exception):
    """A step could not be made for want of something that the caller did not give."""


def iso(time: datetime) -> str:
    """A time as the verdicts write it."""
    return time.isoformat().replace("+00:00", "Z")
