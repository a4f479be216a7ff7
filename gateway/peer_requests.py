"""The listener for peer gateways: takes a container, and answers with one, or with an unstamped refusal."""

import asyncio
import hashlib
import time
import uuid
from typing import Any

import structlog

from estamp.catalogue import Server
from estamp.container import MEDIA_TYPE
from gateway import refusals
from gateway.asgi_answers import send_answer, send_fault
from gateway.faults import Fault, Place
from gateway.log_entries import Side
from gateway.parts import Parts
from gateway.service_client import ServiceAnswer
from gateway.way.s3_receive import Received, claim, examine, known_peer, take_in
from gateway.way.s4_call_service import call_service
from gateway.way.s5_answer import answer
from service_runtime.connections import CONNECTION, PEER_CERTIFICATE

_HERE = Place.PROVIDER
_log = structlog.get_logger("peer_requests")


class PeerRequests:
    """ASGI application of the peers' listener."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: dict[str, int] = {}
        self._processing: set[asyncio.Task[bytes]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        started = time.perf_counter()
        peer: Server | None = None
        container = b""
        try:
            # Judged for each request, not only for each connection: the catalogue may have changed since.
            peer = known_peer(scope.get("extensions", {}).get(PEER_CERTIFICATE), self._parts.catalogue.current(_HERE))
            self._take_place(peer)
            try:
                container = await take_in(scope, receive, self._parts)
                answered = await self._answer(container, peer)
            finally:
                self._under_way[peer.id] -= 1
        except Fault as fault:
            await self._refuse(scope, send, fault, peer, container, started)
            return
        except Exception:
            failure = Fault("internal-error", "Something failed inside this gateway.", _HERE, detail=str(uuid.uuid4()))
            _log.exception("internal-error", detail=failure.detail)
            await self._refuse(scope, send, failure, peer, container, started)
            return
        self._parts.figures.count("provider", "answered", time.perf_counter() - started)
        await send_answer(send, 200, (("Content-Type", MEDIA_TYPE),), answered)

    def _take_place(self, peer: Server) -> None:
        taken = self._under_way.get(peer.id, 0)
        if taken >= self._parts.settings.limits.max_concurrent_per_peer:
            raise Fault("peer-quota", f"{peer.id} has {taken} calls under way here, its share.", _HERE)
        self._under_way[peer.id] = taken + 1

    async def _answer(self, container: bytes, peer: Server) -> bytes:
        received = examine(container, peer, self._parts.catalogue.current(_HERE), self._parts)
        with structlog.contextvars.bound_contextvars(request_id=received.entry.request_id):
            claimed = await claim(received, self._parts)
            if claimed.answer is not None:
                return claimed.answer
            # Once accepted, a request is seen through to its stamped answer even if the peer hangs up meanwhile.
            task = asyncio.create_task(self._process(received))
            self._processing.add(task)
            task.add_done_callback(self._processing.discard)
            try:
                return await asyncio.shield(task)
            except Fault as fault:
                fault.linked_entry = claimed.entry_id
                raise

    async def _process(self, received: Received) -> bytes:
        outcome: ServiceAnswer | Fault
        try:
            outcome = await call_service(received, self._parts)
        except Fault as fault:
            outcome = fault
            self._parts.figures.count("service", fault.reason, 0.0)
        except Exception:
            detail = received.entry.request_id
            outcome = Fault("internal-error", "Something failed inside this gateway.", _HERE, detail=detail)
            _log.exception("internal-error", detail=detail)
        return await answer(received, outcome, self._parts)

    async def _refuse(
        self, scope: Any, send: Any, fault: Fault, peer: Server | None, container: bytes, started: float
    ) -> None:
        if container:
            fault.digest = hashlib.sha256(container).hexdigest()
        await refusals.record(fault, self._parts.log, Side.PROVIDER, peer_server=peer.id if peer else None)
        self._parts.figures.count("provider", fault.reason, time.perf_counter() - started)
        await send_fault(scope, send, fault, to_peer=True)
        connection = scope.get("extensions", {}).get(CONNECTION)
        if peer is None and connection is not None:
            # Whoever is not a registered, unsuspended gateway has no business with an open connection.
            connection.close(finish_answer=True)
