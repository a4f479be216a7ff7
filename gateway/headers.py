"""Which headers a gateway passes on, sets and drops (X-Road's REST protocol; docs/reference/wire.md)."""

from collections.abc import Iterable
from typing import Final

from estamp.message import Headers

NEVER_PASSED_ON: Final = frozenset(
    {
        "transfer-encoding",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "connection",
        "user-agent",
        "host",
        "content-length",
        "server",
        "expect",
    }
)
"""Headers (lower case) that concern one connection, or one program, and so neither side passes on."""

SET_ON_ANSWERS: Final = frozenset(
    {
        "x-road-id",
        "x-road-client",
        "x-road-service",
        "x-road-request-id",
        "x-road-request-hash",
        "x-road-error",
    }
)
"""Headers (lower case) of an answer that only gateways set; a service's own are dropped."""

RawHeaders = Iterable[tuple[bytes, bytes]]


ONLY_ON_ANSWERS: Final = frozenset({"x-road-service", "x-road-request-hash", "x-road-error"})
"""Headers (lower case) that no request carries; a peer's are not told to the service."""


def passed_on(headers: RawHeaders, dropped: frozenset[str] = frozenset()) -> Headers:
    """The headers that go on, in order, as text (Latin-1), without those of NEVER_PASSED_ON and ``dropped``.

    Nor do those go on that ``Connection`` names (RFC 9110, 7.6.1), but for X-Road's, which nobody may strike out.
    """
    headers = list(headers)
    named = {
        each.strip()
        for name, value in headers
        if name.lower() == b"connection"
        for each in value.decode("latin-1").lower().split(",")
    }
    dropped |= {each for each in named if not each.startswith("x-road-")}
    result: list[tuple[str, str]] = []
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1")
        lower = name.lower()
        if lower not in NEVER_PASSED_ON and lower not in dropped and not _is_look_alike(lower):
            result.append((name, raw_value.decode("latin-1").strip(" \t")))
    return tuple(result)


def end_to_end(headers: Headers, dropped: frozenset[str] = frozenset()) -> Headers:
    """The headers of a peer's verified head that go on from here: a peer decides neither framing nor host."""
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in NEVER_PASSED_ON | dropped and not _is_look_alike(name.lower())
    )


def _is_look_alike(lower: str) -> bool:
    """Whether a name is one of X-Road's with underscores: CGI and WSGI make the same variable of both."""
    return "_" in lower and lower.replace("_", "-").startswith("x-road-")


def to_raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
