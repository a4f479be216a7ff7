"""Stamping over the network: sign, have it timestamped, fetch the status, in this order, and hand back the container.

Several TSAs and status responders may be given; they are tried in order. What each answers is checked here (nonce,
imprint, the certificate that the catalogue names), so that a container is never made from an answer that its
receiver would refuse.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog

from estamp.certificate_memory import fingerprint
from estamp.container import Entry
from estamp.errors import EstampError, TimestampError
from estamp.stamp import PreparedStamp, Signer, prepare
from estamp.status import EIGHT_HOURS
from estamp.timestamp import make_request, read_response, read_token
from service_runtime.errors import StampingError
from service_runtime.status_answers import StatusAnswers
from service_runtime.trust_services import TrustServiceAddress, TrustServices

MAX_ANSWER = 64 * 1024
"""Largest answer read from a TSA, in bytes."""

_log = structlog.get_logger()


class Stamper:
    """Makes e-stamps; one for a process, shared by everything in it that stamps.

    ``services`` is asked anew for each stamp, so that a new catalogue counts at once. ``status_answers`` keeps the
    last status answer of each certificate. ``timeout`` is how long one TSA is given, in seconds.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        services: Callable[[], TrustServices],
        status_answers: StatusAnswers,
        *,
        timeout: float = 5.0,
    ) -> None:
        self._session = session
        self._services = services
        self._status_answers = status_answers
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def stamp(self, entries: Sequence[Entry], signer: Signer) -> bytes:
        """The container over ``entries``, stamped now.

        Raises StampingError: ``timestamping-failed`` when no TSA gave a usable token, ``status-unavailable`` when no
        responder answers and no earlier answer is within eight hours, ``certificate-revoked`` or
        ``certificate-unknown`` when the signer's certificate is no longer good.
        """
        services = self._services()
        prepared = prepare(entries, signer, datetime.now(UTC))
        token, stamped_at = await self._timestamp(prepared, services.timestamp_authorities)
        status = await self._status_answers.after(stamped_at, signer, services.status_responders)
        if max(abs(status.produced_at - stamped_at), abs(status.this_update - stamped_at)) > EIGHT_HOURS:
            raise StampingError(
                "status-unavailable",
                "The newest status answer and the timestamp lie more than eight hours apart.",
                "Check that the status responder runs (xacbe ocsp serve) and that the clocks of all machines agree.",
            )
        return prepared.complete(token, status.der, status.responder)

    async def _timestamp(
        self, prepared: PreparedStamp, authorities: Sequence[TrustServiceAddress]
    ) -> tuple[bytes, datetime]:
        failures: list[str] = []
        for authority in authorities:
            try:
                return await self._ask(authority, prepared.timestamp_imprint, prepared.signing_time)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failures.append(f"{authority.address}: {type(error).__name__}")
            except EstampError as error:
                failures.append(f"{authority.address}: {error.reason}")
        _log.error("timestamping-failed", failures=failures)
        raise StampingError(
            "timestamping-failed",
            "No time-stamping authority gave a usable timestamp.",
            "Check that the TSA of the catalogue runs and can be reached; nothing was sent, so try again then.",
        )

    async def _ask(self, authority: TrustServiceAddress, imprint: bytes, signed_at: datetime) -> tuple[bytes, datetime]:
        nonce = secrets.randbits(63)
        async with self._session.post(
            authority.address,
            data=make_request(imprint, nonce),
            headers={"Content-Type": "application/timestamp-query"},
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise TimestampError("timestamp-malformed", "The TSA's answer is too long.")
            if answer.status != 200:
                raise TimestampError("timestamp-refused", f"The TSA answered with HTTP status {answer.status}.")
        token = read_response(bytes(body), imprint=imprint, nonce=nonce)
        timestamp = read_token(token, imprint)
        if fingerprint(timestamp.certificate) != fingerprint(authority.certificate):
            raise TimestampError("timestamp-unknown-authority", "The token is of another TSA than the catalogue names.")
        if abs(timestamp.time - signed_at) > timedelta(minutes=5):
            raise TimestampError(
                "signing-time-off-timestamp", "This machine's clock and the TSA's are more than five minutes apart."
            )
        return token, timestamp.time
