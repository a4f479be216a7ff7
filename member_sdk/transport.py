"""What the sync and the async client have in common around httpx: its settings, and its errors in our words."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TypedDict

import httpx

from member_sdk.errors import EvidenceUnavailable, GatewayTimeout, GatewayUnreachable, InvalidCall
from member_sdk.requests import Call

DEFAULT_TIMEOUT = 60.0
"""Seconds to wait for the gateway's answer; a gateway gives up on a service before that."""

_CONNECT_TIMEOUT = 5.0


class ClientOptions(TypedDict):
    """Arguments that httpx.Client and httpx.AsyncClient both take."""

    base_url: httpx.URL
    verify: ssl.SSLContext | bool
    timeout: httpx.Timeout
    trust_env: bool
    cookies: CookieJar


def client_options(
    url: str, certificate: Path | str | None, key: Path | str | None, ca: Path | str | None, timeout: float
) -> ClientOptions:
    """Settings for one gateway; raises InvalidCall for an unusable address, certificate, key or CA file."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidCall("invalid-address", f"{url!r} is no address: {error}", "Give http(s)://host:port.") from error
    if address.scheme not in ("http", "https") or not address.host or address.path != "/" or address.query:
        message = f"{url!r} is not the address of a gateway"
        raise InvalidCall("invalid-address", message, "Give http(s)://host:port, without a path.")
    return {
        "base_url": address,
        "verify": _tls(certificate, key, ca) if address.scheme == "https" else False,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT)),
        # The own gateway is never reached over a proxy that happens to be in the environment.
        "trust_env": False,
        # One gateway stands for many services: what one of them sets must not be told to the others.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    }


def _tls(certificate: Path | str | None, key: Path | str | None, ca: Path | str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if certificate is not None:
            context.load_cert_chain(str(certificate), None if key is None else str(key))
    except (OSError, ssl.SSLError) as error:
        message = f"the certificate, key or CA file cannot be used: {error}"
        raise InvalidCall(
            "invalid-certificate", message, "Give PEM files; the key must belong to the certificate."
        ) from error
    return context


def outgoing(client: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    """The call as httpx sends it; the target travels beside the URL so that nothing on the way rewrites it."""
    return client.build_request(
        call.method,
        "/",
        headers=[(name.encode("ascii"), value) for name, value in call.headers],
        content=call.content,
        extensions={"target": call.target.encode("ascii")},
    )


@contextmanager
def in_our_words(url: httpx.URL) -> Iterator[None]:
    """Turn httpx's errors into GatewayUnreachable and GatewayTimeout."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        message = f"no connection to the gateway at {url}: {str(error) or 'it did not answer in time'}"
        advice = "Check that the gateway runs, its address, and for https the certificate and CA files."
        raise GatewayUnreachable("gateway-unreachable", message, advice) from error
    except httpx.TimeoutException as error:
        message = f"the gateway at {url} did not answer within the client's timeout"
        advice = "The call may still be processed: look for its message id before asking again, or raise the timeout."
        raise GatewayTimeout("gateway-timeout", message, advice) from error
    except httpx.TransportError as error:
        message = f"the connection to the gateway at {url} broke: {error}"
        advice = "The call may have been processed: look for its message id before asking again."
        raise GatewayUnreachable("gateway-connection-broken", message, advice) from error


def checked_download(status_code: int, body: bytes, message_id: str) -> bytes:
    """The body of an evidence download; raises EvidenceUnavailable when it is the gateway's refusal."""
    if status_code == httpx.codes.OK:
        return body
    said = body[:300].decode("utf-8", "replace").strip()
    raise EvidenceUnavailable(
        "evidence-not-found" if status_code == httpx.codes.NOT_FOUND else "evidence-refused",
        f"the gateway gave no evidence for message {message_id}: {status_code} {said}",
        "Check client and message id; a gateway hands out only its own clients' messages.",
    )
