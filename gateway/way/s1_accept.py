"""Step 1, at the consumer gateway: who asks, for whom, and what; the head that will be signed is made."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from estamp.errors import HeadError, IdentifierError
from estamp.identifiers import ClientId, MemberId, ServerId, ServiceId
from estamp.message import METHODS, SINGLE_VALUED, Headers, RequestHead, header_values
from gateway.asgi_body import read_body
from gateway.configuration import Configuration
from gateway.faults import Fault, Place
from gateway.headers import passed_on
from gateway.parts import Parts
from gateway.target import read_target
from service_runtime.connections import PEER_CERTIFICATE, REQUEST_TARGET

_HERE = Place.CONSUMER
_FROM_GATEWAYS = frozenset(
    {"x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash", "x-road-error"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that an information system makes, as it will be signed."""

    client: ClientId
    service: ServiceId
    message_id: str
    request_id: str
    security_server: ServerId | None
    head: RequestHead
    head_bytes: bytes
    body: bytes | None


async def accept(scope: Any, receive: Any, parts: Parts, *, certificate_required: bool) -> Call:
    """Take a call in whole; raises Fault for whatever is wrong with it.

    With ``certificate_required`` the information system must have shown a registered certificate that may speak for
    the client; without (loopback) any client hosted on this gateway may be named.
    """
    method = scope["method"]
    if method not in METHODS:
        raise Fault("method-unsupported", f"The method {method[:20]} is not one that the protocol knows.", _HERE)
    raw_target = scope["extensions"][REQUEST_TARGET].decode("latin-1")
    target = read_target(raw_target, _HERE)
    headers = passed_on(scope["headers"], _FROM_GATEWAYS)
    client = _client(scope)
    require_may_speak_for(scope, client, parts.configuration(), certificate_required=certificate_required)
    for name in sorted(SINGLE_VALUED):
        if len(header_values(headers, name)) > 1:
            raise Fault("header-repeated", f"The header {name} was sent more than once.", _HERE)
    message_id = next(iter(header_values(headers, "x-road-id")), "") or f"{client.instance}-{uuid.uuid4()}"
    request_id = str(uuid.uuid4())
    security_server = _security_server(headers)
    _require_party(headers)
    head = RequestHead(_completed(headers, client, message_id, request_id), method, raw_target)
    try:
        head_bytes = head.encode()
    except HeadError as error:
        raise Fault("header-malformed", error.message, _HERE) from None
    body = await read_body(scope, receive, parts.settings.limits.max_body_bytes, _HERE, too_large="body-too-large")
    return Call(client, target.service, message_id, request_id, security_server, head, head_bytes, body)


def require_may_speak_for(
    scope: Any, client: ClientId, configuration: Configuration, *, certificate_required: bool
) -> None:
    """See that the information system may name this client.

    Raises Fault ``certificate-not-registered`` or ``client-not-allowed``.
    """
    if not certificate_required:
        return
    shown = scope.get("extensions", {}).get(PEER_CERTIFICATE)
    name = hashlib.sha256(shown).hexdigest() if shown else ""
    if name not in configuration.information_systems:
        raise Fault("certificate-not-registered", "The information system's certificate is not registered here.", _HERE)
    if not configuration.may_speak_for(name, client):
        raise Fault("client-not-allowed", f"This information system may not speak for {client}.", _HERE)


def _client(scope: Any) -> ClientId:
    # The last one counts when it is repeated, as in X-Road; only that one is signed.
    values = [value for name, value in scope["headers"] if name == b"x-road-client"]
    if not values:
        raise Fault("client-missing", "The header X-Road-Client is missing.", _HERE)
    try:
        return ClientId.parse(values[-1].decode("latin-1").strip())
    except IdentifierError as error:
        raise Fault("identifier-malformed", f"X-Road-Client: {error.message}", _HERE) from None


def _security_server(headers: Headers) -> ServerId | None:
    text = next(iter(header_values(headers, "x-road-security-server")), None)
    if text is None:
        return None
    try:
        return ServerId.parse(text)
    except IdentifierError as error:
        raise Fault("identifier-malformed", f"X-Road-Security-Server: {error.message}", _HERE) from None


def _require_party(headers: Headers) -> None:
    text = next(iter(header_values(headers, "x-road-represented-party")), None)
    if text is None:
        return
    try:
        # [class/]member: with an instance and a class before it, it is read as a member's identifier.
        MemberId.parse("/".join([*["x"] * (3 - len(text.split("/"))), text]))
    except IdentifierError as error:
        raise Fault("identifier-malformed", f"X-Road-Represented-Party: {error.message}", _HERE) from None


def _completed(headers: Headers, client: ClientId, message_id: str, request_id: str) -> Headers:
    kept = tuple((name, value) for name, value in headers if name.lower() != "x-road-id")
    if not header_values(kept, "accept"):
        kept += (("accept", "application/json"),)
    return (
        *kept,
        ("X-Road-Client", str(client)),
        ("X-Road-Id", message_id),
        ("X-Road-Request-Id", request_id),
    )
