"""The last status answer of each own certificate: fetched when a stamp needs a newer one, shared, kept over restarts.

Many messages that wait at the same time share one fetch. When no responder can be reached the last good answer
serves; whether it is recent enough is the eight-hour rule's business, in :mod:`service_runtime.stamping`. An answer
that says ``revoked`` is never replaced.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import structlog

from estamp.certificate_memory import fingerprint
from estamp.errors import EstampError, StatusError
from estamp.stamp import Signer
from estamp.status import CertificateStatus, StatusAnswer, make_request, read_answer
from service_runtime.errors import FileWriteError, StampingError
from service_runtime.keys import write_atomically
from service_runtime.trust_services import TrustServiceAddress

MAX_ANSWER = 64 * 1024
"""Largest answer read from a responder, in bytes."""

_NONCE_BYTES = 32
_log = structlog.get_logger()


@dataclass(slots=True)
class _Kept:
    """What is known of one certificate's status."""

    answer: StatusAnswer | None = None
    fetch: "asyncio.Task[None] | None" = None
    failed_at: float = float("-inf")


class StatusAnswers:
    """Fetches and keeps status answers in ``folder``, one file a certificate.

    ``timeout`` is how long one responder is given; after a failure none is asked again for ``retry_after``
    (both seconds), so that a dead responder does not slow every message down.
    """

    def __init__(
        self, session: aiohttp.ClientSession, folder: Path, *, timeout: float = 5.0, retry_after: float = 0.25
    ) -> None:
        self._session = session
        self._folder = folder
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._retry_after = retry_after
        self._kept: dict[str, _Kept] = {}

    async def after(self, moment: datetime, signer: Signer, responders: Sequence[TrustServiceAddress]) -> StatusAnswer:
        """An answer for the signer's certificate made at ``moment`` (whole seconds) or later, else the newest there is.

        Waits for at most two fetches: the responder's clock may be behind the TSA's, and asking on would not help.
        Raises StampingError: ``status-unavailable`` when there is none at all, ``certificate-revoked`` and
        ``certificate-unknown`` when the newest says so.
        """
        kept = await self._load(signer)
        for _ in range(2):
            if kept.answer is not None and kept.answer.produced_at >= moment:
                break
            if kept.fetch is None:
                if asyncio.get_running_loop().time() - kept.failed_at < self._retry_after:
                    break
                kept.fetch = asyncio.create_task(self._fetch(kept, signer, responders))
            # Shielded: the caller may hang up, the others who wait for the same fetch do not.
            await asyncio.shield(kept.fetch)
        return _good(kept.answer)

    async def _load(self, signer: Signer) -> _Kept:
        name = fingerprint(signer.certificate)
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        kept = self._kept.setdefault(name, _Kept())
        try:
            data = (self._folder / f"{name}.der").read_bytes()
            kept.answer = read_answer(data, signer.certificate, signer.issuer, nonce=None)
        except FileNotFoundError:
            pass
        except (OSError, EstampError) as error:
            _log.warning("kept-status-answer-unusable", certificate=name, error=str(error))
        return kept

    async def _fetch(self, kept: _Kept, signer: Signer, responders: Sequence[TrustServiceAddress]) -> None:
        try:
            answer = await self._ask_in_order(signer, responders)
            if answer is None:
                kept.failed_at = asyncio.get_running_loop().time()
                return
            kept.failed_at = float("-inf")
            if _replaces(answer, kept.answer):
                kept.answer = answer
                path = self._folder / f"{fingerprint(signer.certificate)}.der"
                await asyncio.to_thread(self._write, path, answer.der)
        except (FileWriteError, OSError) as error:
            # The answer serves all the same; what is lost is only that a restart would know it.
            _log.warning("status-answer-not-kept", error=str(error))
        finally:
            kept.fetch = None

    def _write(self, path: Path, der: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, der, 0o600)

    async def _ask_in_order(self, signer: Signer, responders: Sequence[TrustServiceAddress]) -> StatusAnswer | None:
        failures: list[str] = []
        believed = {fingerprint(each.certificate) for each in responders}
        # One responder may stand in the catalogue with several certificates, one for each CA that it speaks for.
        for address in dict.fromkeys(each.address for each in responders):
            try:
                answer = await self._ask(address, signer)
                if fingerprint(answer.responder) in believed:
                    return answer
                failures.append(f"{address}: its certificate does not stand in the catalogue")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failures.append(f"{address}: {type(error).__name__}")
            except EstampError as error:
                failures.append(f"{address}: {error.reason}")
        _log.warning("status-unavailable", failures=failures, certificate=fingerprint(signer.certificate))
        return None

    async def _ask(self, address: str, signer: Signer) -> StatusAnswer:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        async with self._session.post(
            address,
            data=make_request(signer.certificate, signer.issuer, nonce),
            headers={"Content-Type": "application/ocsp-request"},
            timeout=self._timeout,
            allow_redirects=False,
        ) as answer:
            if answer.status != 200:
                raise StatusError("status-unavailable", f"The responder answered with HTTP status {answer.status}.")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise StatusError("status-malformed", "The responder's answer is too long.")
        return read_answer(bytes(body), signer.certificate, signer.issuer, nonce=nonce)


def _replaces(new: StatusAnswer, old: StatusAnswer | None) -> bool:
    if old is not None and old.status is CertificateStatus.REVOKED:
        # Revocation is for good here (no certificateHold): a later "good" comes of a responder that is behind.
        return False
    if old is None or new.produced_at > old.produced_at:
        return True
    # Of two answers of one second the worse one counts.
    return new.produced_at == old.produced_at and old.status is CertificateStatus.GOOD


def _good(answer: StatusAnswer | None) -> StatusAnswer:
    if answer is None:
        raise StampingError(
            "status-unavailable",
            "No status responder can be reached and no earlier status answer is at hand.",
            "Check that the status responder of the catalogue runs (xacbe ocsp serve) and can be reached.",
        )
    if answer.status is CertificateStatus.REVOKED:
        raise StampingError(
            "certificate-revoked",
            "The certificate that this process stamps with is revoked.",
            "Ask the central administrator; a new certificate is needed before anything can be stamped.",
        )
    if answer.status is not CertificateStatus.GOOD:
        raise StampingError(
            "certificate-unknown",
            "The status responder does not know the certificate that this process stamps with.",
            "See that the responder's feed is current, and that this registry issued the certificate.",
        )
    return answer
