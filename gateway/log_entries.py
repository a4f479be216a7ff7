"""What goes into the query log and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import QueryLogError

MAX_IDENTIFIER_BYTES = 1024
"""Longest client or service identifier in its text form, and longest instance. Longer keys fit no database's index."""
MAX_MESSAGE_ID_BYTES = 512
"""Longest message id (``X-Road-Id``) that the log can find again."""
MAX_REQUEST_ID_BYTES = 128
"""Longest request id (``X-Road-Request-Id``)."""
MAX_DETAIL = 500
"""Longest detail of a refusal, in characters; the rest is cut off."""

_FURTHER_BYTES = 64 * 1024


class Side(StrEnum):
    """Which gateway of an exchange this one is."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


class Direction(StrEnum):
    """Which of an exchange's two messages an entry holds; an answer may be a stamped fault."""

    REQUEST = "request"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One stamped message as it is to be kept.

    Identifiers are in their text form. ``container`` is the ASiC-E container that travels, byte for byte;
    ``signer_fingerprint`` the SHA-256 (hex) of its signing certificate. ``security_server`` is this gateway,
    ``peer_server`` the other one: whose TLS certificate brought the message, or to whom it goes.
    ``status_code``, ``fault_type`` and ``fault_reason`` belong to answers.
    """

    at: datetime
    instance: str
    side: Side
    direction: Direction
    client: str
    service: str
    message_id: str
    request_id: str
    security_server: str
    peer_server: str | None
    signer_fingerprint: str
    container: bytes
    user_id: str | None = None
    issue: str | None = None
    represented_party: str | None = None
    status_code: int | None = None
    fault_type: str | None = None
    fault_reason: str | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is unique in the log for each direction: instance, side, client and request id."""
        return (self.instance, self.side, self.client, self.request_id)

    def require_fit(self) -> None:
        """Raise QueryLogError (``log-entry-unfit``) for what no row can hold.

        It is checked here, before the entry shares a transaction with others, so that a hostile message cannot make
        the entries beside it fail.
        """
        for name, value, most in (
            ("instance", self.instance, MAX_IDENTIFIER_BYTES),
            ("client", self.client, MAX_IDENTIFIER_BYTES),
            ("service", self.service, MAX_IDENTIFIER_BYTES),
            ("message id", self.message_id, MAX_MESSAGE_ID_BYTES),
            ("request id", self.request_id, MAX_REQUEST_ID_BYTES),
            ("user id", self.user_id, _FURTHER_BYTES),
            ("issue", self.issue, _FURTHER_BYTES),
            ("represented party", self.represented_party, _FURTHER_BYTES),
            ("security server", self.security_server, MAX_IDENTIFIER_BYTES),
            ("peer server", self.peer_server, MAX_IDENTIFIER_BYTES),
            ("signer fingerprint", self.signer_fingerprint, MAX_IDENTIFIER_BYTES),
            ("fault type", self.fault_type, MAX_IDENTIFIER_BYTES),
            ("fault reason", self.fault_reason, MAX_IDENTIFIER_BYTES),
        ):
            if value is not None and (problem := _unfit(value, most)):
                raise QueryLogError(
                    "log-entry-unfit",
                    f"The query log cannot keep this message: its {name} {problem}.",
                    "The sender has to use a shorter or cleaner value.",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that was turned away unstamped: where, why, and what it claimed to be. Never the message itself.

    ``client``, ``service``, ``message_id`` and ``request_id`` are unverified claims, unless ``linked_entry`` names the
    entry of a verified request. ``digest`` is the SHA-256 (hex) of the refused container or head.
    """

    at: datetime
    side: Side
    place: str
    reason: str
    type: str
    detail: str
    client: str | None = None
    service: str | None = None
    message_id: str | None = None
    request_id: str | None = None
    peer_server: str | None = None
    digest: str | None = None
    linked_entry: int | None = None

    def columns(self) -> dict[str, object]:
        """The row to insert: texts cleaned of what no database keeps, and cut to a length."""
        return {
            "at": self.at,
            "side": str(self.side),
            "place": _clean(self.place),
            "reason": _clean(self.reason),
            "type": _clean(self.type),
            "detail": _clean(self.detail),
            "client": _clean(self.client),
            "service": _clean(self.service),
            "message_id": _clean(self.message_id),
            "request_id": _clean(self.request_id),
            "peer_server": _clean(self.peer_server),
            "digest": _clean(self.digest),
            "linked_entry": self.linked_entry,
        }


class ClaimOutcome(StrEnum):
    """What became of a request id that was claimed."""

    NEW = "new"
    SAME = "same"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Claim:
    """The outcome of recording a request.

    NEW: this request is in the log now, and only this caller got to hear so: process it. SAME: the very same container
    from the same peer was there already; ``answer`` is the answer's container, None while none is known. REPLAY:
    another container or another peer uses a request id that is taken. ``entry_id`` is the number of the request that
    is in the log.
    """

    outcome: ClaimOutcome
    entry_id: int
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry read back: its number, the digest of its container (SHA-256, hex), and what was recorded."""

    id: int
    container_sha256: str
    entry: LogEntry


def _unfit(value: str, most: int) -> str | None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode text"
    if "\0" in value:
        return "holds a NUL character"
    return f"has {size} bytes, {most} is the most" if size > most else None


def _clean(text: str | None) -> str | None:
    if text is None:
        return None
    return text[:MAX_DETAIL].encode("utf-8", "replace").decode().replace("\0", "�")
