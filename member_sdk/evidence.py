"""The evidence of a call: two stamped containers, out of the gateway's download, verified offline against an anchor."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.container import read_zip
from estamp.errors import EstampError
from estamp.message import AnswerHead, Direction, RequestHead
from estamp.verdict import Check, Outcome, Verdict
from estamp.verification import Policy, verify
from member_sdk.answers import AnswerContent
from member_sdk.errors import EvidenceUnavailable
from member_sdk.pairing import check_handed_over, check_message_id, check_pair

REQUEST_FILE, RESPONSE_FILE = "request.asice", "response.asice"
"""Names that :meth:`Evidence.save` gives the two containers."""

_MAX_FILES = 2000
_MAX_UNPACKED = 2 * 1024**3
_ADVICE = "Ask for it with the client and the message id of the call; the gateway keeps evidence in its query log."


@dataclass(frozen=True, slots=True)
class EvidenceVerdict:
    """The verdicts on request and answer, and the checks that bring the two together."""

    request: Verdict
    response: Verdict
    together: tuple[Check, ...]

    @property
    def valid(self) -> bool:
        """Whether both e-stamps are valid, and the answer answers the request."""
        return self.request.valid and self.response.valid and self._mismatch is None

    @property
    def _mismatch(self) -> Check | None:
        return next((check for check in self.together if check.outcome is Outcome.FAILED), None)

    @property
    def reason(self) -> str | None:
        """The stable code of the first failure, or None."""
        return self.request.reason or self.response.reason or (self._mismatch.reason if self._mismatch else None)

    def to_json(self) -> Mapping[str, object]:
        """The whole as JSON-ready values; no bodies."""
        return {
            "valid": self.valid,
            "reason": self.reason,
            "request": self.request.to_json(),
            "response": self.response.to_json(),
            "together": [
                {"name": check.name, "outcome": check.outcome, "reason": check.reason, "detail": check.detail}
                for check in self.together
            ],
        }


def _anchor(anchor: TrustAnchor | bytes | Path) -> TrustAnchor:
    if isinstance(anchor, TrustAnchor):
        return anchor
    return TrustAnchor.load(anchor.read_bytes() if isinstance(anchor, Path) else anchor)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves one exchange: the stamped request and the stamped answer, as both gateways logged them.

    ``given`` is what this process sent and was handed, when the evidence was fetched from an answer.
    """

    message_id: str
    request: bytes
    response: bytes
    given: AnswerContent | None = None

    def verify(
        self,
        anchor: TrustAnchor | bytes | Path,
        *,
        catalogue: Catalogue | None = None,
        at: datetime | None = None,
    ) -> EvidenceVerdict:
        """Verify both e-stamps with nothing but the anchor, and that the answer answers the request.

        ``anchor`` is an anchor, its file's bytes, or the path of its file. A ``catalogue`` adds checks. ``at`` is the
        time of judging, now by default. Raises AnchorError and OSError when the anchor cannot be read.
        """
        trusted = _anchor(anchor)
        policy = Policy(at or datetime.now(UTC))
        request = verify(self.request, trusted, policy, catalogue)
        response = verify(self.response, trusted, policy, catalogue)
        if not (request.valid and response.valid):
            detail = "request and answer are compared only when both are valid"
            return EvidenceVerdict(request, response, (Check("together", Outcome.NOT_CHECKED, detail),))
        together = (
            check_message_id(self.message_id, request.findings),
            *check_pair(request.findings, response.findings),
        )
        if self.given is not None:
            together += check_handed_over(self.given, request.findings, response.findings)
        return EvidenceVerdict(request, response, together)

    def save(self, directory: Path) -> None:
        """Write both containers into ``directory``, which is made if need be; an auditor needs these and the anchor."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / REQUEST_FILE).write_bytes(self.request)
        (directory / RESPONSE_FILE).write_bytes(self.response)

    @classmethod
    def from_download(
        cls, data: bytes, message_id: str, *, request_id: str | None = None, given: AnswerContent | None = None
    ) -> Self:
        """Take the pair out of the ZIP that ``/asic`` gives.

        With ``request_id`` the one call with that id is taken; without it there must be only one call in the ZIP.
        Raises EvidenceUnavailable.
        """
        found: dict[Direction, list[bytes]] = {Direction.REQUEST: [], Direction.ANSWER: []}
        for container in _containers(data):
            direction, its_request_id = _which(container)
            if request_id is None or its_request_id == request_id:
                found[direction].append(container)
        for direction, containers in found.items():
            if len(containers) != 1:
                missing = (
                    f"the gateway has no {direction}" if not containers else f"the gateway has several {direction}s"
                )
                raise EvidenceUnavailable(
                    "evidence-incomplete" if not containers else "evidence-ambiguous",
                    f"{missing} for message {message_id}",
                    _ADVICE if not containers else "Name the request id too (X-Road-Request-Id of the answer).",
                )
        return cls(message_id, found[Direction.REQUEST][0], found[Direction.ANSWER][0], given)


def _unreadable(what: str) -> EvidenceUnavailable:
    return EvidenceUnavailable(
        "evidence-unreadable", f"the gateway's download is {what}", "Report this to its administrator."
    )


def _containers(data: bytes) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_FILES or sum(entry.file_size for entry in entries) > _MAX_UNPACKED:
                raise _unreadable("larger than any evidence")
            return [archive.read(entry) for entry in entries]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _unreadable(f"no readable ZIP ({error})") from error


def _which(container: bytes) -> tuple[Direction, str | None]:
    """Direction and request id of a container, not verified: good enough to choose by, and to be proven after."""
    try:
        entries = dict(read_zip(container))
        if (head := entries.get(Direction.REQUEST.head_entry)) is not None:
            return Direction.REQUEST, RequestHead.parse(head).get("X-Road-Request-Id")
        return Direction.ANSWER, AnswerHead.parse(entries[Direction.ANSWER.head_entry]).get("X-Road-Request-Id")
    except (EstampError, KeyError) as error:
        raise _unreadable("not made of stamped messages") from error
