"""E-stamps that a registered party may try: each is made from a sound one, and each has its reason to be refused.

They are sent as requests to a provider's gateway and as answers to a consumer's; tests/vectors has many more, which
are judged without gateways.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from estamp.certificates import Kind, signer_of
from estamp.identifiers import MemberId, ServerId
from estamp.signature import MANIFEST_ENTRY, SIGNATURE_ENTRY, SignatureFields
from estamp.timestamp_structure import TokenParts
from tests.attacks.hostile_consumer import HostileConsumer, now
from tests.breaking import (
    SIGNER,
    STATUS,
    TOKEN,
    Stamped,
    embedded,
    entry_of,
    flipped,
    rebuilt,
    timestamp_imprint,
    with_embedded,
)
from tests.pki import TestPki
from tests.running_instance import until
from tests.status_answers import no_answer, status_answer

_HOUR = dt.timedelta(hours=1)
_TOO_FAR = dt.timedelta(hours=8, seconds=1)


@dataclass(frozen=True)
class Parties:
    """Who breaks it, and another registered gateway whose keys he somehow has."""

    own: HostileConsumer
    other: HostileConsumer


@dataclass(frozen=True)
class BrokenStamp:
    """`make` gives the container; `code` is X-Road's without its prefix, `reasons` those of ours that fit."""

    make: Callable[[Stamped, Parties], bytes]
    code: str
    reasons: tuple[str, ...]


@lru_cache
def foreign() -> TestPki:
    """A hierarchy of the same names whose root nobody in the instance knows."""
    return TestPki()


def _entry_byte(at: int, position: int, stamped: Stamped, _: Parties) -> bytes:
    container = stamped.container()
    entry = stamped.entries[position]
    return rebuilt(container, {entry.name: flipped(entry.data, at)})


def _embedded_byte(element: str, share: float, stamped: Stamped, _: Parties) -> bytes:
    container = stamped.container()
    data = embedded(container, element)[0]
    return with_embedded(container, element, flipped(data, int(share * (len(data) - 1))))


def _raw_byte(at: int, stamped: Stamped, _: Parties) -> bytes:
    return flipped(stamped.container(), at)


def _value_byte(stamped: Stamped, _: Parties) -> bytes:
    def rewrite(fields: SignatureFields) -> SignatureFields:
        return replace(fields, value=flipped(fields.value, 7))

    return stamped.but(rewrite_fields=rewrite).container()


def _manifest_byte(stamped: Stamped, _: Parties) -> bytes:
    container = stamped.container()
    return rebuilt(container, {MANIFEST_ENTRY: flipped(entry_of(container, MANIFEST_ENTRY), -3)})


def _signed_time_rewritten(stamped: Stamped, _: Parties) -> bytes:
    container = stamped.container()
    document = entry_of(container, SIGNATURE_ENTRY)
    told = stamped.moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    later = (stamped.moment + dt.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    assert document.count(told) == 1
    return rebuilt(container, {SIGNATURE_ENTRY: document.replace(told, later)})


def _certificate_exchanged(stamped: Stamped, parties: Parties) -> bytes:
    return with_embedded(stamped.container(), SIGNER, parties.other.signing.der)


def _one_entry_more(stamped: Stamped, _: Parties) -> bytes:
    return stamped.but(rewrite_files=lambda files: [*files[:-2], ("more", b"unsigned"), *files[-2:]]).container()


def _signed_by_other(stamped: Stamped, parties: Parties) -> bytes:
    return stamped.but(signer=parties.other.signing).container()


def _signed_for_tls(stamped: Stamped, parties: Parties) -> bytes:
    return stamped.but(signer=parties.own.authentication).container()


def _signed_by_foreign(stamped: Stamped, parties: Parties) -> bytes:
    member, server = _names(parties)
    signer = stamped.pki.signing_for(member, server, issuer=foreign().issuing)
    return stamped.but(signer=signer, issuer=foreign().issuing, responder=foreign().ocsp).container()


def _signed_expired(stamped: Stamped, parties: Parties) -> bytes:
    member, server = _names(parties)
    signer = stamped.pki.signing_for(member, server, not_after=stamped.moment - _HOUR)
    return stamped.but(signer=signer).container()


def _signed_unrecorded(stamped: Stamped, parties: Parties) -> bytes:
    # What the responder says of a certificate that the registry never issued.
    member, server = _names(parties)
    signer = stamped.pki.signing_for(member, server)
    return stamped.but(signer=signer, make_status=lambda made: made.status(status="unknown")).container()


def _by_tsa(what: str, stamped: Stamped, parties: Parties) -> bytes:
    authority = {
        "foreign": lambda: foreign().tsa,
        "uncatalogued": lambda: stamped.pki.service(Kind.TSA),
        "tls": lambda: parties.own.authentication,
    }[what]()
    return stamped.but(tsa=authority).container()


def _over_another_signature(stamped: Stamped, _: Parties) -> bytes:
    other_value = stamped.but(signing_time=stamped.moment - dt.timedelta(seconds=1)).signed()[2]
    return stamped.but(make_token=lambda made, _imprint: made.token(timestamp_imprint(other_value))).container()


def _tsa_certificate_swapped(same_key: bool, stamped: Stamped, _: Parties) -> bytes:
    pki = stamped.pki
    swapped = pki.service(Kind.TSA, key=pki.tsa.key if same_key else None)

    def make_token(made: Stamped, imprint: bytes) -> bytes:
        return replace(TokenParts.decode(made.token(imprint)), certificates=(swapped.der, pki.issuing.der)).encode()

    return stamped.but(make_token=make_token).container()


def _times(signed: dt.timedelta, stamped_at: dt.timedelta, stamped: Stamped, _: Parties) -> bytes:
    at = stamped.moment + stamped_at
    return stamped.but(signing_time=stamped.moment + signed, timestamp_time=at, status_time=at).container()


def _all_long_ago(stamped: Stamped, _: Parties) -> bytes:
    # The instance's certificates are valid from five minutes before they were made, which is as far as clocks may
    # differ: only after a few seconds is there a time that is too long ago for one and not for the other.
    ago = dt.timedelta(minutes=5, seconds=2)
    until(lambda: now() - ago > stamped.signer.certificate.not_valid_before_utc)
    return stamped.but(moment=now() - ago + dt.timedelta(seconds=1)).container()


def _status_of(what: str, stamped: Stamped, _: Parties) -> bytes:
    return stamped.but(make_status=lambda made: made.status(status=what)).container()


def _status_of_other(stamped: Stamped, parties: Parties) -> bytes:
    about_other = stamped.but(signer=parties.other.signing).status()
    return stamped.but(make_status=lambda _: about_other).container()


def _status_is(answer: bytes, stamped: Stamped, _: Parties) -> bytes:
    return stamped.but(make_status=lambda _: answer).container()


def _by_responder(what: str, stamped: Stamped, parties: Parties) -> bytes:
    responder = {
        "foreign": lambda: foreign().ocsp,
        "root": lambda: stamped.pki.root_ocsp,
        "uncatalogued": lambda: stamped.pki.service(Kind.OCSP),
        "tls": lambda: parties.own.authentication,
        "itself": lambda: parties.own.signing,
    }[what]()
    return stamped.but(responder=responder).container()


def _status_at(off: dt.timedelta, stamped: Stamped, _: Parties) -> bytes:
    return stamped.but(status_time=stamped.moment + off).container()


def _status_from_old_knowledge(stamped: Stamped, _: Parties) -> bytes:
    def make(made: Stamped) -> bytes:
        about, issuer = made.signer.certificate, made.issuing.certificate
        return status_answer(about, issuer, made.pki.ocsp, made.moment, this_update=made.moment - _TOO_FAR)

    return stamped.but(make_status=make).container()


def _names(parties: Parties) -> tuple[MemberId, ServerId]:
    name = signer_of(parties.own.signing.certificate)
    return name.member, name.server


_CHANGED = ("SignatureVerification", ("content-changed",))
_TOKEN_CHANGED = ("TimestampValidation", ("timestamp-malformed", "timestamp-invalid"))
_STATUS_CHANGED = (
    "CertValidation",
    ("status-malformed", "status-invalid", "status-other-certificate", "status-unauthorised-responder"),
)
_UNKNOWN_TSA = ("TimestampValidation", ("timestamp-unknown-authority",))
_SWAPPED_TSA = ("TimestampValidation", ("timestamp-invalid",))
_OFF_CLOCK = ("TimestampValidation", ("signing-time-off-clock",))
_UNAUTHORISED = ("CertValidation", ("status-unauthorised-responder",))
_TOO_FAR_APART = ("CertValidation", ("status-too-far",))

_TABLE: dict[str, tuple[Callable[[Stamped, Parties], bytes], tuple[str, tuple[str, ...]]]] = {
    "head-first-byte": (partial(_entry_byte, 0, 0), _CHANGED),
    "head-last-byte": (partial(_entry_byte, -1, 0), _CHANGED),
    "body-first-byte": (partial(_entry_byte, 0, 1), _CHANGED),
    "body-last-byte": (partial(_entry_byte, -1, 1), _CHANGED),
    "container-first-byte": (partial(_raw_byte, 0), ("InvalidMessage", ("container-malformed",))),
    "container-last-byte": (partial(_raw_byte, -1), ("InvalidMessage", ("container-malformed",))),
    "signature-value-byte": (_value_byte, ("InvalidSignatureValue", ("signature-invalid",))),
    "signed-time-rewritten": (_signed_time_rewritten, ("MalformedSignature", ("signature-malformed",))),
    "signer-certificate-exchanged": (_certificate_exchanged, ("MalformedSignature", ("signature-malformed",))),
    "manifest-byte": (_manifest_byte, ("MalformedSignature", ("manifest-mismatch",))),
    "one-entry-more": (_one_entry_more, ("InvalidMessage", ("container-malformed",))),
    **{
        f"token-byte-{share}": (partial(_embedded_byte, TOKEN, share), _TOKEN_CHANGED)
        for share in (0, 0.1, 0.3, 0.5, 0.8, 1)
    },
    **{
        f"status-byte-{share}": (partial(_embedded_byte, STATUS, share), _STATUS_CHANGED)
        for share in (0, 0.1, 0.2, 0.35, 0.6, 1)
    },
    "signed-by-other-member": (_signed_by_other, ("IncorrectCertificate", ("signer-not-named",))),
    "signed-with-tls-certificate": (_signed_for_tls, ("IncorrectCertificate", ("certificate-wrong-kind",))),
    "signed-under-foreign-ca": (_signed_by_foreign, ("CertValidation", ("certificate-chain",))),
    "signed-with-expired-certificate": (_signed_expired, ("CertValidityTime", ("certificate-expired",))),
    "signed-with-unrecorded-certificate": (_signed_unrecorded, ("CertValidation", ("certificate-unknown",))),
    "timestamp-by-foreign-tsa": (partial(_by_tsa, "foreign"), _UNKNOWN_TSA),
    "timestamp-by-uncatalogued-tsa": (partial(_by_tsa, "uncatalogued"), _UNKNOWN_TSA),
    "timestamp-by-tls-certificate": (partial(_by_tsa, "tls"), _UNKNOWN_TSA),
    "timestamp-over-another-signature": (
        _over_another_signature,
        ("TimestampValidation", ("timestamp-other-signature",)),
    ),
    "tsa-certificate-swapped": (partial(_tsa_certificate_swapped, False), _SWAPPED_TSA),
    "tsa-certificate-swapped-for-same-key": (partial(_tsa_certificate_swapped, True), _SWAPPED_TSA),
    "old-signature-new-timestamp": (
        partial(_times, -_HOUR, 0 * _HOUR),
        ("TimestampValidation", ("signing-time-off-timestamp",)),
    ),
    "old-signature-old-timestamp": (_all_long_ago, _OFF_CLOCK),
    "from-the-future": (partial(_times, _HOUR, _HOUR), _OFF_CLOCK),
    "status-revoked": (partial(_status_of, "revoked"), ("CertValidation", ("certificate-revoked",))),
    "status-unknown": (partial(_status_of, "unknown"), ("CertValidation", ("certificate-unknown",))),
    "status-of-another-certificate": (_status_of_other, ("CertValidation", ("status-other-certificate",))),
    "status-no-answer": (partial(_status_is, no_answer()), ("CertValidation", ("status-malformed",))),
    "status-by-foreign-responder": (partial(_by_responder, "foreign"), _UNAUTHORISED),
    "status-by-root-responder": (partial(_by_responder, "root"), _UNAUTHORISED),
    "status-by-uncatalogued-responder": (partial(_by_responder, "uncatalogued"), _UNAUTHORISED),
    "status-by-tls-certificate": (partial(_by_responder, "tls"), _UNAUTHORISED),
    "status-by-signer-itself": (partial(_by_responder, "itself"), _UNAUTHORISED),
    # No responder of a new instance was there eight hours ago; tests/vectors has this case with an old one.
    "status-from-before-its-responder": (partial(_status_at, -_TOO_FAR), _UNAUTHORISED),
    "status-too-young": (partial(_status_at, _TOO_FAR), _TOO_FAR_APART),
    "status-from-the-future": (partial(_status_at, _HOUR), ("CertValidation", ("status-in-future",))),
    "status-from-old-knowledge": (_status_from_old_knowledge, _TOO_FAR_APART),
}

BROKEN_STAMPS = {name: BrokenStamp(make, *refusal) for name, (make, refusal) in _TABLE.items()}
"""All of them by name."""
