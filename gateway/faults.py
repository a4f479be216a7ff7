"""A fault: why the gateway itself refuses a call, as its caller and its peer are told.

Refusals are raised as :class:`Fault` wherever they are found and written out at the listener. Nothing else reaches a
caller or a peer: an exception of another kind becomes ``internal-error`` with a number to look for in the log.
"""

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Self
from xml.sax.saxutils import escape

from estamp.message import AnswerHead, RequestHead
from estamp.verdict import Verdict
from gateway.errors import GatewayError, QueryLogError
from gateway.fault_table import ROWS
from service_runtime.errors import StampingError

ERROR_HEADER: Final = "X-Road-Error"
_CLIENT_PROXY, _SERVER_PROXY = "Server.ClientProxy.", "Server.ServerProxy."
_TYPE = re.compile(r"(Client|Server\.ClientProxy|Server\.ServerProxy)(\.[A-Za-z]{1,40}){1,3}")
_REASON = re.compile(r"[a-z0-9-]{1,64}")
_MAX_TEXT = 500
_NO_MESSAGE = "The provider's gateway refused the call and did not say why."
_NO_ADVICE = "Give the provider's administrator the reason and the detail."
_JSON, _XML = "application/json; charset=utf-8", "text/xml; charset=utf-8"
_XML_TYPES = frozenset({"text/xml", "application/xml", "text/*"})


class Place(StrEnum):
    """Where on the message's way it was refused."""

    CONSUMER = "consumer gateway"
    PROVIDER = "provider gateway"
    SERVICE = "service"


class Fault(GatewayError):
    """A refusal with its place.

    ``type`` is X-Road's fault code, ``reason`` ours (:mod:`gateway.fault_table`), ``detail`` identifies the call in the
    logs (the request id, once there is one). For this gateway's own log: ``linked_entry`` is the entry of the request
    that led to the fault, ``digest`` the SHA-256 (hex) of the container that was refused, ``claimed`` the head that it
    held, whatever that is worth.
    """

    linked_entry: int | None = None
    digest: str | None = None
    claimed: RequestHead | AnswerHead | None = None

    def __init__(self, reason: str, message: str, place: Place, *, detail: str = "") -> None:
        row = ROWS[reason]
        super().__init__(reason, message, row.advice)
        self.place = place
        self.retryable = row.retryable
        self.detail = detail
        prefix = _CLIENT_PROXY if place is Place.CONSUMER else _SERVER_PROXY
        self.type = ("Client." if row.client and place is Place.CONSUMER else prefix) + row.code

    @property
    def status(self) -> int:
        """The HTTP status: X-Road knows two."""
        return 500 if self.type.startswith("Server.") else 400

    def told(self, accept: Iterable[str]) -> tuple[str, bytes]:
        """Content-Type and body for a caller with these Accept values: XML if they list that, else JSON."""
        types = {each.partition(";")[0].strip().lower() for value in accept for each in value.split(",")}
        return (_XML, self.to_xml()) if types & _XML_TYPES else (_JSON, self.to_json())

    def to_json(self) -> bytes:
        """The body that tells the fault; X-Road's three members and ours."""
        return json.dumps(
            {
                "type": self.type,
                "message": self.message,
                "detail": self.detail,
                "place": self.place,
                "reason": self.reason,
                "advice": self.advice,
                "retryable": self.retryable,
            },
            ensure_ascii=False,
        ).encode()

    def to_xml(self) -> bytes:
        """The body for a caller that accepts XML rather than JSON: X-Road's three elements."""
        rows = (("type", self.type), ("message", self.message), ("detail", self.detail))
        return f"<error>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in rows)}</error>".encode()

    @classmethod
    def of_verdict(cls, verdict: Verdict, place: Place) -> Self:
        """The fault for an e-stamp that does not verify."""
        failure = verdict.failure
        assert failure is not None
        assert failure.reason is not None
        fault = cls(failure.reason, failure.detail, place)
        fault.claimed = verdict.findings.head
        return fault

    @classmethod
    def of_stamping(cls, error: StampingError, place: Place) -> Self:
        """The fault for a stamp that could not be made."""
        return cls(error.reason, error.message, place)

    @classmethod
    def of_log(cls, error: QueryLogError, place: Place) -> Self:
        """The fault for a log that did not take a request; why is for the administrator, not for the caller."""
        if error.reason == "log-entry-unfit":
            return cls("header-malformed", error.message, place)
        return cls("log-unavailable", "The query log did not take the message, so it went no further.", place)

    @classmethod
    def of_lost_answer(cls, place: Place, *, detail: str) -> Self:
        """The fault for a log that did not take an answer: unlike a request, the service has been called by then."""
        return cls(
            "answer-not-logged", "The query log did not take the answer, so it went no further.", place, detail=detail
        )

    @classmethod
    def of_peer(cls, body: bytes) -> Self | None:
        """The refusal that a peer answered with, or None when its body is not one.

        What the peer writes is not trusted further than its form: lengths, the vocabulary of ``type``, and a place
        that is the provider's.
        """
        try:
            told = json.loads(body)
            fault_type, reason = str(told["type"]), str(told["reason"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if not is_fault_type(fault_type) or not _REASON.fullmatch(reason):
            return None
        fault = cls.__new__(cls)
        GatewayError.__init__(
            fault, reason, _text(told.get("message")) or _NO_MESSAGE, _text(told.get("advice")) or _NO_ADVICE
        )
        fault.type = fault_type
        fault.place = Place.SERVICE if told.get("place") == Place.SERVICE else Place.PROVIDER
        fault.retryable = told.get("retryable") is True
        fault.detail = _text(told.get("detail"))
        return fault


def is_fault_type(text: str) -> bool:
    """Whether this is of the form of X-Road's fault codes."""
    return bool(_TYPE.fullmatch(text))


def _text(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character for character in text if character.isprintable())[:_MAX_TEXT]
