"""What a gateway tells of a refusal, and that it tells nothing else."""

import json
import re
from dataclasses import dataclass

_LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|/tmp/|/home/|/root/|\bline \d+|127\.0\.0\.1|localhost|<[a-z_.]+ object at"
)
_MEMBERS = {"type", "message", "detail", "place", "reason", "advice", "retryable"}


@dataclass(frozen=True)
class Told:
    """A fault's body."""

    type: str
    reason: str
    place: str
    advice: str
    message: str
    detail: str

    @property
    def what(self) -> tuple[str, str, str]:
        """What tests compare: type, reason and place."""
        return self.type, self.reason, self.place


def read_fault(body: bytes) -> Told:
    """Read a fault's JSON; it has X-Road's members and ours, no other, and always says what to do."""
    require_discreet(body)
    found = json.loads(body)
    assert set(found) == _MEMBERS, found
    assert found["advice"], found
    assert found["message"], found
    return Told(*(found[name] for name in ("type", "reason", "place", "advice", "message", "detail")))


def require_discreet(answer: bytes) -> None:
    """See that an answer holds no stack trace, no path and no internal address."""
    leak = _LEAKS.search(answer)
    assert leak is None, answer[max(0, leak.start() - 100) : leak.end() + 100]
