"""The listener for the member's own information systems: calls, and the evidence of their own calls."""

import time
import uuid
from typing import Any

import structlog

from gateway import refusals
from gateway.asgi_answers import send_answer, send_fault
from gateway.evidence_download import send_evidence, send_verification_configuration
from gateway.faults import Fault, Place
from gateway.figures import ANSWERED, STAMPED_FAULT
from gateway.headers import end_to_end
from gateway.log_entries import Side
from gateway.parts import Parts
from gateway.way.s1_accept import Call, accept
from gateway.way.s2_send import send as send_to_provider
from gateway.way.s6_hand_over import Answer, hand_over

_HERE = Place.CONSUMER
_log = structlog.get_logger("information_systems")


class InformationSystems:
    """ASGI application; with ``certificate_required`` every request needs a registered TLS certificate."""

    def __init__(self, parts: Parts, *, certificate_required: bool) -> None:
        self._parts = parts
        self._certificate_required = certificate_required
        self._under_way = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        if scope["path"] in ("/asic", "/verificationconf"):
            download = send_evidence if scope["path"] == "/asic" else send_verification_configuration
            await download(scope, send, self._parts, certificate_required=self._certificate_required)
            return
        started = time.perf_counter()
        call: Call | None = None
        self._under_way += 1
        try:
            if self._under_way > self._parts.settings.limits.max_concurrent_client:
                raise Fault("gateway-busy", "This gateway has as many calls under way as it takes.", _HERE)
            call = await accept(scope, receive, self._parts, certificate_required=self._certificate_required)
            answer = await self._exchange(call)
        except Fault as fault:
            await self._refuse(scope, send, fault, call, started)
            return
        except Exception:
            failure = Fault("internal-error", "Something failed inside this gateway.", _HERE, detail=str(uuid.uuid4()))
            _log.exception("internal-error", detail=failure.detail)
            await self._refuse(scope, send, failure, call, started)
            return
        finally:
            self._under_way -= 1
        outcome = STAMPED_FAULT if answer.head.get("x-road-error") else ANSWERED
        self._parts.figures.count("consumer", outcome, time.perf_counter() - started)
        await send_answer(send, answer.head.status, end_to_end(answer.head.headers), answer.body)

    async def _exchange(self, call: Call) -> Answer:
        with structlog.contextvars.bound_contextvars(request_id=call.request_id):
            return await hand_over(call, await send_to_provider(call, self._parts), self._parts)

    async def _refuse(self, scope: Any, send: Any, fault: Fault, call: Call | None, started: float) -> None:
        if call is None:
            await refusals.record(fault, self._parts.log, Side.CONSUMER)
        else:
            fault.detail = fault.detail or call.request_id
            await refusals.record(
                fault,
                self._parts.log,
                Side.CONSUMER,
                client=str(call.client),
                service=str(call.service),
                message_id=call.message_id,
                request_id=call.request_id,
            )
        self._parts.figures.count("consumer", fault.reason, time.perf_counter() - started)
        await send_fault(scope, send, fault)
