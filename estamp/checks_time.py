"""Checks of when a message was signed, and whether its certificate stood then: timestamp, chain, status.

Each check takes the :class:`~estamp.reading.Reading`, returns a sentence that says what held, and raises an
EstampError to refuse.
"""

import hashlib
from typing import Final

from estamp import certificate_memory
from estamp.certificate_memory import fingerprint, instance_of, kind_of, load_certificate, read_status
from estamp.certificates import Kind
from estamp.errors import CertificateError, SignatureError, StatusError, TimestampError
from estamp.reading import NotChecked, Reading, iso
from estamp.signature import signature_value_element
from estamp.status import EIGHT_HOURS, CertificateStatus
from estamp.timestamp import read_token

STATUS_BEFORE_TIMESTAMP: Final = "status-before-timestamp"
"""Note: the status answer is older than the timestamp, within the eight-hour rule; some verifiers refuse that."""


def check_timestamp(reading: Reading) -> str:
    """See that the token is over this signature (EN 319 132-1, 5.3)."""
    imprint = hashlib.sha256(signature_value_element(reading.signature.value).encode()).digest()
    reading.timestamp = read_token(reading.signature.token, imprint)
    return f"Over this signature, at {iso(reading.stamped_at)}, serial number {reading.timestamp.serial:x}."


def check_timestamp_authority(reading: Reading) -> str:
    """See that the token's authority is a TSA that chains to the anchor, and stands in the catalogue."""
    assert reading.timestamp is not None
    certificate = reading.timestamp.certificate
    try:
        if kind_of(certificate) is not Kind.TSA or instance_of(certificate) != reading.anchor.instance:
            raise CertificateError("certificate-wrong-kind", "It is not a time-stamping certificate of this instance.")
        certificate_memory.check_chain(
            certificate, reading.timestamp.intermediates, reading.anchor.root, reading.stamped_at
        )
    except CertificateError as error:
        raise TimestampError(
            "timestamp-unknown-authority", f"The timestamp's authority is not believed: {error.message}"
        ) from None
    catalogue = reading.catalogue
    if catalogue is not None and fingerprint(certificate) not in catalogue.timestamp_authority_fingerprints:
        raise TimestampError(
            "timestamp-unknown-authority", "The timestamp's authority does not stand in the catalogue."
        )
    return f"{certificate.subject.rfc4514_string()} chains to the anchor."


def check_signing_time(reading: Reading) -> str:
    """See that the signed time lies near the timestamp, which anyone could put anew on an old signature."""
    signed_at, tolerance = reading.signature.signing_time, reading.policy.tolerance
    if abs(signed_at - reading.stamped_at) > tolerance:
        raise SignatureError(
            "signing-time-off-timestamp",
            f"Signed at {iso(signed_at)} but timestamped at {iso(reading.stamped_at)}: more than {tolerance} apart.",
        )
    return f"Signed at {iso(signed_at)}, within {tolerance} of the timestamp."


def check_clock(reading: Reading) -> str:
    """Judge the signing time by the receiver's clock; live traffic only."""
    policy, signed_at = reading.policy, reading.signature.signing_time
    if not policy.live:
        raise NotChecked("This is evidence: it may be of any age.")
    if abs(signed_at - policy.at) > policy.tolerance:
        raise SignatureError(
            "signing-time-off-clock",
            f"Signed at {iso(signed_at)}, more than {policy.tolerance} from the receiver's clock, {iso(policy.at)}.",
        )
    return "The signing time fits the receiver's clock."


def check_past(reading: Reading) -> str:
    """See that neither timestamp nor status answer lies ahead of the verifier's clock."""
    assert reading.status is not None
    latest = reading.policy.at + reading.policy.tolerance
    if reading.stamped_at > latest:
        raise SignatureError("timestamp-in-future", f"Timestamped at {iso(reading.stamped_at)}, which is yet to come.")
    if reading.status.produced_at > latest:
        raise StatusError(
            "status-in-future", f"The status answer is of {iso(reading.status.produced_at)}, which is yet to come."
        )
    return "Timestamp and status answer lie in the past."


def check_chain(reading: Reading) -> str:
    """See that the signing certificate chains to the anchor at the time of the timestamp."""
    fields = reading.signature
    kept = [load_certificate(der) for der in fields.certificates]
    issuer = certificate_memory.check_chain(fields.certificate, kept, reading.anchor.root, reading.stamped_at)
    if len(kept) != 2 or kept[0] != issuer:
        raise SignatureError(
            "signature-malformed", "The kept certificates are not the issuing CA's and the status responder's."
        )
    if reading.direction is not None and issuer == reading.anchor.root:
        raise CertificateError("certificate-chain", "Signing certificates are issued by an issuing CA, never the root.")
    reading.issuing = issuer
    catalogue = reading.catalogue
    if catalogue is not None and fingerprint(issuer) not in catalogue.certification_authority_fingerprints:
        raise CertificateError("certificate-chain", "The signer's issuing CA does not stand in the catalogue.")
    return f"Issued by {issuer.subject.rfc4514_string()}, which chains to the anchor, at the time of the timestamp."


def check_status(reading: Reading) -> str:
    """See that the status answer is about the signing certificate, sound, and good."""
    assert reading.issuing is not None
    fields = reading.signature
    try:
        status = read_status(fields.status, fields.certificate, reading.issuing)
    except StatusError as error:
        # A responder's "try later" is an answer to whoever asked; in a container it is no status at all.
        reason = "status-malformed" if error.reason == "status-unavailable" else error.reason
        raise StatusError(reason, error.message) from None
    reading.status = status
    if load_certificate(fields.certificates[1]) != status.responder:
        raise SignatureError("signature-malformed", "The kept responder certificate is not the one that answered.")
    if status.status is CertificateStatus.REVOKED:
        raise StatusError("certificate-revoked", "The status answer says that the signing certificate was revoked.")
    if status.status is not CertificateStatus.GOOD:
        raise StatusError("certificate-unknown", "The status answer says that the certificate was never issued.")
    return f"The certificate was good at {iso(status.produced_at)}."


def check_status_responder(reading: Reading) -> str:
    """See that the responder may speak for the issuing CA."""
    assert reading.status is not None
    responder, issuing = reading.status.responder, reading.issuing
    assert issuing is not None
    try:
        if responder != issuing:
            if kind_of(responder) is not Kind.OCSP or instance_of(responder) != reading.anchor.instance:
                raise CertificateError("certificate-wrong-kind", "It is not a status responder of this instance.")
            certificate_memory.check_chain(responder, [issuing], reading.anchor.root, reading.status.produced_at)
    except CertificateError as error:
        raise StatusError("status-unauthorised-responder", f"The responder is not believed: {error.message}") from None
    catalogue = reading.catalogue
    if catalogue is not None and fingerprint(responder) not in catalogue.status_responder_fingerprints:
        raise StatusError("status-unauthorised-responder", "The responder does not stand in the catalogue.")
    return f"{responder.subject.rfc4514_string()} may answer for the issuing CA."


def check_eight_hours(reading: Reading) -> str:
    """See that status and timestamp lie at most eight hours apart."""
    assert reading.status is not None
    status, stamped_at = reading.status, reading.stamped_at
    apart = max(abs(status.produced_at - stamped_at), abs(status.this_update - stamped_at))
    if apart > EIGHT_HOURS:
        raise StatusError(
            "status-too-far",
            f"The status answer ({iso(status.this_update)}) and the timestamp ({iso(stamped_at)}) are {apart} apart; "
            "an e-stamp allows eight hours.",
        )
    if status.produced_at < stamped_at:
        reading.notes.append(STATUS_BEFORE_TIMESTAMP)
    return f"Status and timestamp are {apart} apart, at most eight hours."
