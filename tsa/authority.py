"""What the authority decides about each request, without HTTP: grant a token or say why not."""

from dataclasses import dataclass

import structlog

from estamp.errors import TimestampError
from estamp.timestamp import Failure, TimestampIssuer, TimestampRequest, make_failure, read_request
from estamp.timestamp_structure import DIGEST_SIZES
from tsa.clock import Clock, moment
from tsa.credentials import Credentials
from tsa.errors import TimeNotAvailableError
from tsa.serial_numbers import new_serial_number
from tsa.settings import TokenSettings

_LOG = structlog.get_logger("tsa")

GRANTED = "granted"
"""The outcome of a request that got its token; other outcomes are the RFC's names of failures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A TimeStampResp in DER, and in one word what became of the request."""

    encoded: bytes
    outcome: str


class Authority:
    """Answers time-stamp requests with one key under one policy. Several may run at once, in as many processes."""

    def __init__(self, credentials: Credentials, settings: TokenSettings, clock: Clock) -> None:
        self._credentials = credentials
        self._policy = settings.policy
        self._clock = clock
        self._issuer = TimestampIssuer(
            credentials.certificate,
            credentials.chain,
            credentials.key,
            policy=settings.policy,
            accuracy_seconds=settings.accuracy_seconds,
        )

    def answer(self, encoded_request: bytes) -> Answer:
        """Return the answer to a TimeStampReq in DER; a refusal is an answer too."""
        try:
            request = read_request(encoded_request)
        except TimestampError as error:
            unsupported = error.reason == "timestamp-unsupported-version"
            return _refuse(Failure.BAD_REQUEST if unsupported else Failure.BAD_DATA_FORMAT, error.message)
        objection = self._objection(request)
        if objection is not None:
            return _refuse(*objection)
        try:
            now = self.require_time()
        except TimeNotAvailableError as error:
            # The requester learns that there is no time now; what is wrong with the machine is for its log.
            _LOG.error("time-not-available", reason=error.reason, message=error.message)
            return _refuse(Failure.TIME_NOT_AVAILABLE, "The authority cannot vouch for its time now; try again later.")
        serial = new_serial_number(now)
        encoded = self._issuer.issue(request, serial=serial, time=moment(now))
        _LOG.info("timestamp-granted", serial=f"{serial:x}", hash_algorithm=request.hash_oid)
        return Answer(encoded, GRANTED)

    def require_time(self) -> int:
        """Return the time in nanoseconds since 1970; raise TimeNotAvailableError when a token may not be made now."""
        now = self._clock.nanoseconds()
        self._credentials.require_valid(moment(now))
        return now

    def _objection(self, request: TimestampRequest) -> tuple[Failure, str] | None:
        if request.hash_oid not in DIGEST_SIZES:
            return Failure.BAD_ALG, "Imprints are taken with SHA-256, SHA-384 or SHA-512."
        if request.policy not in (None, self._policy):
            return Failure.UNACCEPTED_POLICY, f"Tokens are made under policy {self._policy} only."
        if request.extensions:
            return Failure.UNACCEPTED_EXTENSION, "No extension is supported."
        return None


def _refuse(failure: Failure, text: str) -> Answer:
    if failure is not Failure.TIME_NOT_AVAILABLE:
        _LOG.info("timestamp-refused", failure=failure.standard_name, text=text)
    return Answer(make_failure(failure, text), failure.standard_name)
