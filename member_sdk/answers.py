"""What a service answered, as the gateway handed it over; the parts that the sync and the async client share."""

from typing import Any

import httpx

from member_sdk.faults import read_fault
from member_sdk.requests import Call


class AnswerContent:
    """A service's answer; everything but how its evidence is fetched.

    ``raw`` is the body as it stands in the evidence; ``content`` is the same unless the service compressed it.
    """

    def __init__(self, call: Call, status_code: int, headers: httpx.Headers, raw: bytes) -> None:
        """Hold what was received; ``call`` is what was sent."""
        self.call = call
        self.raw = raw
        self._response = httpx.Response(status_code, headers=headers, stream=httpx.ByteStream(raw))

    @property
    def status_code(self) -> int:
        """The service's HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> httpx.Headers:
        """The answer's headers, found in any case."""
        return self._response.headers

    @property
    def content(self) -> bytes:
        """The body in bytes, decompressed."""
        return self._response.read()

    @property
    def text(self) -> str:
        """The body as text, in the charset that its Content-Type names."""
        self._response.read()
        text: str = self._response.text
        return text

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is not."""
        self._response.read()
        return self._response.json()

    @property
    def service_error(self) -> bool:
        """Whether the service itself answered with an HTTP error (4xx or 5xx): its own word, stamped like any other."""
        return self._response.is_error

    @property
    def message_id(self) -> str:
        """The message id (``X-Road-Id``), by which both sides find the call."""
        return str(self.headers.get("X-Road-Id", self.call.message_id))

    @property
    def request_id(self) -> str | None:
        """The request id that the gateway gave this one call; it tells two calls with one message id apart."""
        request_id: str | None = self.headers.get("X-Road-Request-Id")
        return request_id

    def __repr__(self) -> str:
        """Name the answer without its body."""
        return f"<{type(self).__name__} {self.status_code} from {self.call.service}, message {self.message_id}>"


def raise_fault(status_code: int, headers: httpx.Headers, raw: bytes, message_id: str) -> None:
    """Raise the typed exception when the response is a gateway's fault; return otherwise."""
    fault = read_fault(status_code, headers, raw)
    if fault is not None:
        fault.message_id = fault.message_id or message_id
        raise fault
