"""The two clients, sync and async: thin transports around the same building and reading of messages."""

from dataclasses import replace
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import httpx

from estamp.identifiers import ClientId, ServerId, ServiceId
from member_sdk.answers import AnswerContent, raise_fault
from member_sdk.evidence import Evidence
from member_sdk.requests import Call, HeaderItems, Path, Query, build_call, client_id, evidence_target
from member_sdk.transport import DEFAULT_TIMEOUT, checked_download, client_options, in_our_words, outgoing


class CallOptions(TypedDict, total=False):
    """What a call may say beside service and path; see :func:`member_sdk.requests.build_call`."""

    method: str
    query: Query | None
    headers: HeaderItems | None
    json: Any
    content: bytes | str | None
    message_id: str | None
    user_id: str | None
    issue: str | None
    represented_party: str | None
    security_server: str | ServerId | None


class Answer(AnswerContent):
    """A service's answer, from :class:`Gateway`."""

    def __init__(self, gateway: "Gateway", call: Call, status_code: int, headers: httpx.Headers, raw: bytes) -> None:
        """Hold what was received through ``gateway``."""
        super().__init__(call, status_code, headers, raw)
        self._gateway = gateway

    def evidence(self) -> Evidence:
        """Fetch what proves this exchange; raises EvidenceUnavailable, GatewayUnreachable, GatewayTimeout."""
        evidence = self._gateway.evidence(self.message_id, request_id=self.request_id)
        return replace(evidence, given=self)


class AsyncAnswer(AnswerContent):
    """A service's answer, from :class:`AsyncGateway`."""

    def __init__(
        self, gateway: "AsyncGateway", call: Call, status_code: int, headers: httpx.Headers, raw: bytes
    ) -> None:
        """Hold what was received through ``gateway``."""
        super().__init__(call, status_code, headers, raw)
        self._gateway = gateway

    async def evidence(self) -> Evidence:
        """Fetch what proves this exchange; raises EvidenceUnavailable, GatewayUnreachable, GatewayTimeout."""
        evidence = await self._gateway.evidence(self.message_id, request_id=self.request_id)
        return replace(evidence, given=self)


class Gateway:
    """The own gateway, as one client (subsystem) uses it. Safe to share between threads; keeps connections open.

    ``url`` is ``http(s)://host:port``; ``certificate``, ``key`` and ``ca`` are PEM files for https; ``timeout`` is in
    seconds, for each wait on the gateway. Use it as a context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        url: str,
        client: str | ClientId,
        *,
        certificate: FilePath | str | None = None,
        key: FilePath | str | None = None,
        ca: FilePath | str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Prepare; nothing is sent yet. Raises InvalidCall."""
        self.client = client_id(client)
        self._http = httpx.Client(**client_options(url, certificate, key, ca, timeout))

    def call(self, service: str | ServiceId, path: Path = "", **options: Unpack[CallOptions]) -> Answer:
        """Call a peer's service and return its answer, its own HTTP errors included.

        The options are those of :func:`member_sdk.requests.build_call`. Raises GatewayFault (by its subclasses),
        GatewayUnreachable, GatewayTimeout and InvalidCall. Nothing is ever sent twice by itself.
        """
        call = build_call(self.client, service, path, **options)
        with in_our_words(self._http.base_url):
            response = self._http.send(outgoing(self._http, call), stream=True)
            try:
                raw = b"".join(response.iter_raw())
            finally:
                response.close()
        raise_fault(response.status_code, response.headers, raw, call.message_id)
        return Answer(self, call, response.status_code, response.headers, raw)

    def evidence(self, message_id: str, *, request_id: str | None = None) -> Evidence:
        """Fetch the evidence of one of this client's calls; ``request_id`` chooses among calls with one message id.

        Raises EvidenceUnavailable, GatewayUnreachable, GatewayTimeout.
        """
        with in_our_words(self._http.base_url):
            response = self._http.get(evidence_target(self.client, message_id, request_id))
        data = checked_download(response.status_code, response.content, message_id)
        return Evidence.from_download(data, message_id, request_id=request_id)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()


class AsyncGateway:
    """The same as :class:`Gateway`, for asyncio; belongs to one event loop."""

    def __init__(
        self,
        url: str,
        client: str | ClientId,
        *,
        certificate: FilePath | str | None = None,
        key: FilePath | str | None = None,
        ca: FilePath | str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Prepare; nothing is sent yet. Raises InvalidCall."""
        self.client = client_id(client)
        self._http = httpx.AsyncClient(**client_options(url, certificate, key, ca, timeout))

    async def call(self, service: str | ServiceId, path: Path = "", **options: Unpack[CallOptions]) -> AsyncAnswer:
        """Call a peer's service; see :meth:`Gateway.call`."""
        call = build_call(self.client, service, path, **options)
        with in_our_words(self._http.base_url):
            response = await self._http.send(outgoing(self._http, call), stream=True)
            try:
                raw = b"".join([piece async for piece in response.aiter_raw()])
            finally:
                await response.aclose()
        raise_fault(response.status_code, response.headers, raw, call.message_id)
        return AsyncAnswer(self, call, response.status_code, response.headers, raw)

    async def evidence(self, message_id: str, *, request_id: str | None = None) -> Evidence:
        """Fetch the evidence of one of this client's calls; see :meth:`Gateway.evidence`."""
        with in_our_words(self._http.base_url):
            response = await self._http.get(evidence_target(self.client, message_id, request_id))
        data = checked_download(response.status_code, response.content, message_id)
        return Evidence.from_download(data, message_id, request_id=request_id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Use as an async context manager."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()
