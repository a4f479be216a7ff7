"""Calling the provider's own service, with a request built from the verified head alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from estamp.message import Headers
from gateway.faults import Fault, Place
from gateway.headers import to_raw

_IDLE_SECONDS = 4.0
_WITHOUT_BODY: Final = frozenset({204, 304})
_HERE = Place.SERVICE


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service answered: status, reason phrase, all its headers, and the body (None when it has none)."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None


class ServiceClient:
    """Pooled connections to the member's own services; redirects are passed through, nothing is decoded or cached.

    ``connect_timeout`` is in seconds, ``max_body`` the largest answer taken, in bytes.
    """

    def __init__(self, *, connect_timeout: float, max_body: int) -> None:
        self._connect_timeout = connect_timeout
        self._max_body = max_body
        self._session = aiohttp.ClientSession(
            # Small servers close idle connections after 5 s; giving ours up earlier avoids calls that race with it.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            middlewares=(_only_once,),
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept", "Content-Type"),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def call(
        self, method: str, url: str, headers: Headers, body: bytes | None, *, seconds: float, detail: str
    ) -> ServiceAnswer:
        """Call the service and take its whole answer in, within ``seconds``.

        Raises Fault: ``service-unreachable``, ``service-timeout``, ``service-broke-off``, ``service-answer-malformed``,
        ``service-answer-too-large``.
        """
        try:
            async with self._session.request(
                method,
                # encoded=True: the path goes out byte for byte as it was checked, never normalised.
                URL(url, encoded=True),
                headers=[(name.decode("latin-1"), _as_written(value)) for name, value in to_raw(headers)],
                data=body,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=self._connect_timeout),
                allow_redirects=False,
            ) as answer:
                content = await self._read(answer, detail)
                without = method == "HEAD" or answer.status in _WITHOUT_BODY
                return ServiceAnswer(
                    answer.status, answer.reason or "", tuple(answer.raw_headers), None if without else content
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Fault(
                "service-unreachable", "The service did not take the connection.", _HERE, detail=detail
            ) from None
        except TimeoutError:
            raise Fault(
                "service-timeout", f"The service did not answer within {seconds:g} seconds.", _HERE, detail=detail
            ) from None
        except (_ConnectionLostError, aiohttp.ClientPayloadError):
            raise Fault(
                "service-broke-off",
                "The service closed the connection before its answer was complete.",
                _HERE,
                detail=detail,
            ) from None
        except (aiohttp.ClientError, ValueError):
            raise Fault(
                "service-answer-malformed",
                "The service's answer is not HTTP that can be passed on.",
                _HERE,
                detail=detail,
            ) from None

    async def _read(self, answer: aiohttp.ClientResponse, detail: str) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > self._max_body:
                raise Fault(
                    "service-answer-too-large",
                    f"The service's answer has more than {self._max_body} bytes, the limit here.",
                    _HERE,
                    detail=detail,
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _as_written(value: bytes) -> str:
    """The text that aiohttp, which writes headers in UTF-8, turns into these bytes again.

    Only a value that is no UTF-8, and so in the older Latin-1, reaches the service in other bytes: as the same text.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _ConnectionLostError(aiohttp.ClientError):
    """The service closed the connection before the head of its answer."""


async def _only_once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET, PUT or DELETE by itself when a connection was lost: calls are made once."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise _ConnectionLostError(str(error)) from error
