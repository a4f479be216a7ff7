"""Sending a container to a peer gateway, and what may go wrong before an answer is in hand.

The peer's certificate is compared with the catalogue as soon as TLS stands: before the first byte of a message.
"""

import ssl
from typing import Final

import aiohttp
import structlog
from cryptography import x509

from estamp.catalogue import Server
from estamp.container import MEDIA_TYPE
from gateway.faults import Fault, Place
from service_runtime.tls import Identity, client_context, pin

WIRE_HEADER: Final = "Xacbe-Wire"
WIRE_VERSION: Final = "1"
PEER_PATH: Final = "/messages"
_OK: Final = 200
_MAX_REFUSAL = 16 * 1024
_IDLE_SECONDS = 30.0
_HERE = Place.CONSUMER
_log = structlog.get_logger("peer_client")


class PeerClient:
    """Pooled mTLS connections to peers, which must chain to ``root``; ``identity`` is this gateway's own in TLS.

    ``connect_timeout`` and ``timeout`` are seconds for the connection and for the whole exchange, ``max_answer`` the
    largest container taken, in bytes.
    """

    def __init__(
        self,
        root: x509.Certificate,
        identity: Identity,
        *,
        connect_timeout: float,
        timeout: float,
        max_answer: int,
        max_connections: int,
    ) -> None:
        self._root = root
        self._identity = identity
        self._contexts: dict[frozenset[str], ssl.SSLContext] = {}
        self._session = aiohttp.ClientSession(
            # Idle connections are given up before the server does (75 s), or the two would race.
            connector=aiohttp.TCPConnector(limit=max_connections, limit_per_host=0, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )
        self._max_answer = max_answer

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(self, server: Server, container: bytes, *, detail: str) -> bytes:
        """The container that ``server`` answers with.

        Raises Fault: ``provider-unreachable``, ``provider-tls-mismatch``, ``provider-timeout``, ``provider-broke-off``,
        ``provider-answer-malformed``, or the peer's own refusal.
        """
        try:
            async with self._session.post(
                f"https://{server.address}{PEER_PATH}",
                data=container,
                headers={"Content-Type": MEDIA_TYPE, WIRE_HEADER: WIRE_VERSION},
                ssl=self._context_for(frozenset(server.authentication_certificates)),
                allow_redirects=False,
            ) as answer:
                limit = self._max_answer if answer.status == _OK else _MAX_REFUSAL
                body = await _read(answer, limit, server, detail)
                if answer.status == _OK and answer.headers.getall("Content-Type", []) == [MEDIA_TYPE]:
                    return body
        except (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError) as error:
            _log.warning("peer-not-believed", server=server.id, error=str(error))
            raise Fault(
                "provider-tls-mismatch",
                f"{server.id} did not show the certificate that the catalogue names.",
                _HERE,
                detail=detail,
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Fault("provider-unreachable", f"{server.id} cannot be reached.", _HERE, detail=detail) from None
        except TimeoutError:
            raise Fault("provider-timeout", f"{server.id} did not answer in time.", _HERE, detail=detail) from None
        except aiohttp.ClientResponseError:
            raise _malformed(server, "what is no HTTP answer", detail) from None
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("connection-lost", server=server.id, error=f"{type(error).__name__}: {error}")
            raise Fault(
                "provider-broke-off",
                f"The connection with {server.id} was lost before its answer.",
                _HERE,
                detail=detail,
            ) from None
        refusal = Fault.of_peer(body)
        if refusal is None:
            raise _malformed(server, f"HTTP status {answer.status} without a refusal", detail)
        raise refusal

    def _context_for(self, fingerprints: frozenset[str]) -> ssl.SSLContext:
        """A TLS context for a server that shows one of these certificates; connections are pooled by context."""
        context = self._contexts.get(fingerprints)
        if context is None:
            context = client_context(server_cas=[self._root], identity=self._identity, check_hostname=False)
            pin(context, fingerprints)
            self._contexts[fingerprints] = context
        return context


async def _read(answer: aiohttp.ClientResponse, limit: int, server: Server, detail: str) -> bytes:
    if (answer.content_length or 0) > limit:
        raise _malformed(server, f"an answer of more than {limit} bytes", detail)
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise _malformed(server, f"an answer of more than {limit} bytes", detail)
        chunks.append(chunk)
    return b"".join(chunks)


def _malformed(server: Server, what: str, detail: str) -> Fault:
    return Fault("provider-answer-malformed", f"{server.id} sent {what}.", _HERE, detail=detail)
