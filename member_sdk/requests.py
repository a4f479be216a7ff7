"""Builds the HTTP request of a call, byte for byte as the gateway will sign it; pure, shared by both clients."""

import json as json_module
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from estamp.errors import IdentifierError
from estamp.identifiers import ClientId, ServerId, ServiceId, encode_piece
from estamp.message import METHODS
from member_sdk.errors import InvalidCall

Path = str | Sequence[str]
Query = str | Mapping[str, Any] | Sequence[tuple[str, Any]]
HeaderItems = Mapping[str, str] | Iterable[tuple[str, str]]

_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?"
_SET_HERE = frozenset(
    {
        "x-road-client",
        "x-road-id",
        "x-road-userid",
        "x-road-issue",
        "x-road-represented-party",
        "x-road-security-server",
        "x-road-request-id",
        "x-road-request-hash",
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, ready to be sent: what was asked, of whom, in whose name.

    ``target`` is the request target exactly as it goes over the wire; ``headers`` are in their order, values in the
    bytes that are sent; ``content`` is None when there is no body.
    """

    client: ClientId
    service: ServiceId
    message_id: str
    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]
    content: bytes | None


def _invalid(message: str, advice: str) -> InvalidCall:
    return InvalidCall("invalid-call", message, advice)


def client_id(client: str | ClientId) -> ClientId:
    """The client's identifier; raises InvalidCall."""
    try:
        return client if isinstance(client, ClientId) else ClientId.parse(client)
    except IdentifierError as error:
        raise _invalid(error.message, "Write the client as instance/class/member/subsystem.") from error


def service_id(service: str | ServiceId) -> ServiceId:
    """The service's identifier; raises InvalidCall."""
    try:
        return service if isinstance(service, ServiceId) else ServiceId.parse(service)
    except IdentifierError as error:
        raise _invalid(error.message, "Write the service as instance/class/member/subsystem/service.") from error


def _path(path: Path) -> str:
    if isinstance(path, str):
        if "?" in path or "#" in path:
            raise _invalid(f"the path {path!r} holds ? or #", "Give the query by itself; write ? as %3F and # as %23.")
        if _STRAY_PERCENT.search(path):
            raise _invalid(f"the path {path!r} holds a % without two hexadecimal digits", "Write % itself as %25.")
        text = quote(path.removeprefix("/"), safe=_PATH_SAFE)
    else:
        text = "/".join(encode_piece(piece) for piece in path)
    if any(piece.lower().replace("%2e", ".") in (".", "..") for piece in text.split("/")):
        raise _invalid(
            f"the path {text!r} has a piece . or ..", "Gateways refuse such paths; name the resource itself."
        )
    return f"/{text}" if text else ""


def _query(query: Query | None) -> str:
    if query is None:
        return ""
    text = quote(query, safe=_QUERY_SAFE) if isinstance(query, str) else urlencode(query, doseq=True)
    return f"?{text}" if text else ""


def _content(json: object, content: bytes | str | None) -> bytes | None:
    if json is not None and content is not None:
        raise _invalid("both json and content are given", "Give the body in one of the two ways.")
    if json is not None:
        return json_module.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
    return content.encode() if isinstance(content, str) else content


def _callers_headers(headers: HeaderItems | None) -> list[tuple[str, str]]:
    items = headers.items() if isinstance(headers, Mapping) else headers or ()
    result = [(name, value) for name, value in items]
    for name, _ in result:
        if name.lower() in _SET_HERE:
            raise _invalid(f"the header {name} is set by this library", "Use the argument of the same meaning instead.")
    return result


def _encoded(name: str, value: str) -> tuple[str, bytes]:
    if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value) or value.strip(" \t") != value:
        raise _invalid(f"the header {name!r} cannot be sent as given", "Remove line breaks and outer spaces.")
    return name, value.encode("utf-8")


def build_call(
    client: str | ClientId,
    service: str | ServiceId,
    path: Path = "",
    *,
    method: str = "GET",
    query: Query | None = None,
    headers: HeaderItems | None = None,
    json: object = None,
    content: bytes | str | None = None,
    message_id: str | None = None,
    user_id: str | None = None,
    issue: str | None = None,
    represented_party: str | None = None,
    security_server: str | ServerId | None = None,
) -> Call:
    """Build a call; raises InvalidCall when it could not be sent as meant.

    ``path`` is what follows the service code: a string in URL form (escapes stay as they are, characters that a URL
    cannot hold are percent-encoded), or a sequence of pieces, each percent-encoded on its own, so that a slash in
    a piece stays in it. ``query`` is a string that passes unchanged, or names and values. The message id defaults to
    ``<instance>-<uuid4>``. The arguments after it are X-Road's optional headers of the same name.
    """
    named, asked = client_id(client), service_id(service)
    if method not in METHODS:
        raise _invalid(
            f"{method!r} is not a method that the protocol carries", f"Use one of {', '.join(sorted(METHODS))}."
        )
    identity = message_id or f"{named.instance}-{uuid.uuid4()}"
    own: list[tuple[str, str | None]] = [
        ("X-Road-Client", str(named)),
        ("X-Road-Id", identity),
        ("X-Road-UserId", user_id),
        ("X-Road-Issue", issue),
        ("X-Road-Represented-Party", represented_party),
        ("X-Road-Security-Server", None if security_server is None else str(security_server)),
    ]
    others = _callers_headers(headers)
    given = {name.lower() for name, _ in others}
    # Plain bytes by default: what is handed to the caller is then what stands in the evidence, byte for byte.
    defaults = [("Accept", "application/json"), ("Accept-Encoding", "identity")]
    if json is not None:
        defaults.append(("Content-Type", "application/json"))
    everything = [(name, value) for name, value in own if value is not None]
    everything += [(name, value) for name, value in defaults if name.lower() not in given] + others
    return Call(
        client=named,
        service=asked,
        message_id=identity,
        method=method,
        target=f"/r1/{asked}{_path(path)}{_query(query)}",
        headers=tuple(_encoded(name, value) for name, value in everything),
        content=_content(json, content),
    )


def evidence_target(client: ClientId, message_id: str, request_id: str | None) -> str:
    """The request target that downloads the evidence of the client's own calls with this message id.

    The parameters are X-Road's but for ``requestId``, which narrows them to one call; others ignore it.
    """
    fields = {
        "queryId": message_id,
        "xRoadInstance": client.instance,
        "memberClass": client.member_class,
        "memberCode": client.member_code,
    }
    if client.subsystem_code is not None:
        fields["subsystemCode"] = client.subsystem_code
    if request_id is not None:
        fields["requestId"] = request_id
    return f"/asic?{urlencode(fields)}"
