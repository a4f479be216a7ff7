"""Making status answers: from a request's bytes to a signed answer's bytes."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ocsp.errors import MalformedRequestError, StaleCopyError, UnservedIssuerError
from ocsp.feed_copy import FeedCopy, Finding
from ocsp.issuers import ServedIssuer, ServedIssuers
from ocsp.requests import StatusRequest, read_request

_LOG = structlog.get_logger("ocsp")


class Outcome(enum.StrEnum):
    """What was answered, as the figures count it."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    MALFORMED_REQUEST = "malformed-request"
    UNAUTHORIZED = "unauthorized"
    TRY_LATER = "try-later"
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class Answer:
    """One OCSPResponse (DER) and what it says. The times are None unless it speaks of a certificate."""

    der: bytes
    outcome: Outcome
    this_update: datetime | None = None
    next_update: datetime | None = None


def _declined(status: ocsp.OCSPResponseStatus, outcome: Outcome) -> Answer:
    return Answer(ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER), outcome)


# Answers that decline carry nothing but their status, so they are the same bytes each time.
MALFORMED_REQUEST = _declined(ocsp.OCSPResponseStatus.MALFORMED_REQUEST, Outcome.MALFORMED_REQUEST)
_UNAUTHORIZED = _declined(ocsp.OCSPResponseStatus.UNAUTHORIZED, Outcome.UNAUTHORIZED)
_TRY_LATER = _declined(ocsp.OCSPResponseStatus.TRY_LATER, Outcome.TRY_LATER)
_INTERNAL_ERROR = _declined(ocsp.OCSPResponseStatus.INTERNAL_ERROR, Outcome.INTERNAL_ERROR)


class Responder:
    """Answers requests from the feed's copy, each with the certificate delegated by the issuer asked about."""

    def __init__(self, issuers: ServedIssuers, copy: FeedCopy, validity: timedelta) -> None:
        """`validity` is how long after its making an answer may be used (nextUpdate)."""
        self._issuers = issuers
        self._copy = copy
        self._validity = validity

    def answer(self, der: bytes, now: datetime) -> Answer:
        """The answer to one OCSPRequest. Never raises: what goes wrong inside is logged and answered internalError."""
        try:
            request = read_request(der)
            issuer = self._issuers.find(request.hash_algorithm.name, request.issuer_name_hash, request.issuer_key_hash)
            finding = self._copy.find(issuer.fingerprint, request.serial, now)
            return self._signed(request, issuer, finding, now)
        except MalformedRequestError:
            return MALFORMED_REQUEST
        except UnservedIssuerError:
            return _UNAUTHORIZED
        except StaleCopyError:
            return _TRY_LATER
        except Exception:
            _LOG.exception("status-answer-failed")
            return _INTERNAL_ERROR

    def _signed(self, request: StatusRequest, issuer: ServedIssuer, finding: Finding, now: datetime) -> Answer:
        # thisUpdate is when the status was last known to be true (RFC 6960, 4.2.2.1): when the registry last confirmed
        # the copy, at most a poll ago while all is well, and honest about it while the registry is away. producedAt is
        # set to the current second by the library; thisUpdate, cut to the second as well, is never after it.
        this_update = finding.known_at.replace(microsecond=0)
        next_update = now.replace(microsecond=0) + self._validity
        revocation = finding.revocation
        status, outcome = ocsp.OCSPCertStatus.GOOD, Outcome.GOOD
        if revocation is not None:
            status, outcome = ocsp.OCSPCertStatus.REVOKED, Outcome.REVOKED
        elif not finding.issued:
            status, outcome = ocsp.OCSPCertStatus.UNKNOWN, Outcome.UNKNOWN
        # "unspecified" is what a missing reason means, and is left out as RFC 5280 (5.3.1) asks.
        reason = revocation.reason if revocation and revocation.reason != "unspecified" else None
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                request.issuer_name_hash,
                request.issuer_key_hash,
                request.serial,
                request.hash_algorithm,
                status,
                this_update,
                next_update,
                revocation.at.astimezone(UTC).replace(microsecond=0) if revocation else None,
                x509.ReasonFlags(reason) if reason else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.responder)
            .certificates([issuer.responder])
        )
        if request.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(request.nonce), critical=False)
        response = builder.sign(issuer.key, hashes.SHA256())
        return Answer(response.public_bytes(Encoding.DER), outcome, this_update, next_update)
