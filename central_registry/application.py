"""What gateways and the status responder are told: the catalogue, the status feed, the issuing certificates.

No client certificate is asked for: all of it is public within the instance, and what it says is signed. Clients
trust the TLS certificate by the trust anchor's root.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from central_registry.errors import CatalogueUnavailableError
from central_registry.notice_board import NoticeBoard, Published
from central_registry.signed_feed import SignedFeed
from estamp.container import MEDIA_TYPE as CONTAINER_MEDIA_TYPE
from estamp.status_feed import ENVELOPE_MEDIA_TYPE

LONGEST_WAIT = 25.0
"""Seconds for which a request is held at most; below the idle limits of proxies and clients."""

MOST_WAITING = 4096
"""Requests that are held at the same time."""


def make_application(board: NoticeBoard, feed: SignedFeed, issuing_certificates: Callable[[], bytes]) -> FastAPI:
    """The application of the port for gateways."""
    # The interactive pages would load scripts from elsewhere; the description itself is at /openapi.json.
    application = FastAPI(title="Xacbe registry", docs_url=None, redoc_url=None)
    _tell_errors_alike(application)

    @application.get("/catalogue", response_class=Response)
    async def catalogue(
        newer_than: Annotated[int | None, Query(alias="newer-than", ge=0)] = None,
        wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The newest stamped catalogue; with `newer-than` and `wait`, as soon as it is newer, else 304."""
        version = newer_than or 0
        seconds = min(wait, LONGEST_WAIT)
        if seconds and board.waiting >= MOST_WAITING:
            raise CatalogueUnavailableError(
                "registry-busy", "Too many requests are waiting for a catalogue.", "Ask again in a few seconds."
            )
        found = await board.newer_than(version, seconds)
        newest = found or board.newest
        if newest is None:
            raise CatalogueUnavailableError(
                "no-catalogue-yet",
                "The registry has not published its first catalogue yet.",
                "Ask again in a few seconds. It needs the time-stamping authority and the status responder to run.",
            )
        tag = _tag(newest)
        if found is None or _names(if_none_match, tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag, "Cache-Control": "no-cache"})
        return Response(
            found.container, media_type=CONTAINER_MEDIA_TYPE, headers={"ETag": tag, "Cache-Control": "no-cache"}
        )

    @application.get("/status-feed", response_class=Response)
    async def status_feed(if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """What was issued and revoked, up to this moment, signed by the catalogue signer."""
        newest = await asyncio.to_thread(feed.newest)
        tag = f'"{newest.version}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if _names(if_none_match, tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(newest.envelope, media_type=ENVELOPE_MEDIA_TYPE, headers=headers)

    @application.get("/issuing-certificates", response_class=Response)
    async def issuing() -> Response:
        """The certificates of the issuing CAs in use, PEM."""
        return Response(await asyncio.to_thread(issuing_certificates), media_type="application/x-pem-file")

    return application


def _tag(published: Published) -> str:
    return f'"{published.version}"'


def _names(if_none_match: str | None, tag: str) -> bool:
    """Whether an If-None-Match field names the tag (RFC 9110, 13.1.2; weak comparison)."""
    if if_none_match is None:
        return False
    named = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in named or "*" in named


def _tell_errors_alike(application: FastAPI) -> None:
    """Every refusal has the same form: reason, message, advice; nothing of the inside."""

    @application.exception_handler(CatalogueUnavailableError)
    async def unavailable(_: Request, error: CatalogueUnavailableError) -> Response:
        return _error(503, error.reason, error.message, error.advice, {"Retry-After": "1"})

    @application.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        message = f"The parameter {first['loc'][-1]} cannot be used: {first['msg']}."
        return _error(400, "invalid-parameter", message, "Correct it.")

    @application.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        advice = "This port has /catalogue, /status-feed and /issuing-certificates, to be read with GET."
        return _error(error.status_code, phrase.lower().replace(" ", "-"), f"{phrase}.", advice, error.headers)

    @application.exception_handler(Exception)
    async def failed(_: Request, _error_: Exception) -> Response:
        return _error(
            500, "internal-error", "The registry could not do this.", "Ask its administrator; the log tells why."
        )


def _error(
    status: int, reason: str, message: str, advice: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    content = {"reason": reason, "message": message, "advice": advice}
    return JSONResponse(content, status, headers=dict(headers) if headers else None)
