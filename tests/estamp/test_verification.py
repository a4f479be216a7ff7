"""The verdict: every check in its place, on both sides of every limit, for evidence and for live traffic."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from estamp.certificates import Kind
from estamp.container import Entry
from estamp.message import AnswerHead, Direction, RequestHead
from estamp.signature import SIGNATURE_ENTRY
from estamp.verdict import Outcome, Verdict
from estamp.verification import Policy, verify
from tests.breaking import (
    SIGNER,
    TARGET,
    Instance,
    Stamped,
    answer,
    entry_of,
    flipped,
    rebuilt,
    request,
    request_headers,
    with_embedded,
)
from tests.pki import new_key
from tests.status_answers import status_answer

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
FIVE_MINUTES, EIGHT_HOURS = 5 * MINUTE, 8 * HOUR

CHECKS = [
    *("container", "entries", "signature-document", "manifest", "content", "head", "signing-certificate"),
    *("signer-named", "signature-value", "timestamp", "timestamp-authority", "signing-time", "clock"),
    *("certificate-chain", "status", "status-responder", "eight-hours", "past", "standing"),
]


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance(not_before=NOW - dt.timedelta(days=30))


@pytest.fixture(scope="module")
def plain(pki: Instance) -> bytes:
    return request(pki, NOW).container()


@pytest.fixture(scope="module")
def with_body(pki: Instance) -> bytes:
    return request(
        pki,
        NOW,
        body=b"{}",
        head=RequestHead(request_headers(Content_Type="application/json"), "POST", TARGET).encode(),
        media_type="application/json",
    ).container()


def evidence(pki: Instance, stamped: Stamped | bytes, at: dt.datetime = NOW) -> Verdict:
    container = stamped if isinstance(stamped, bytes) else stamped.container()
    return verify(container, pki.anchor, Policy(at))


def arriving(pki: Instance, stamped: Stamped | bytes, at: dt.datetime = NOW, **catalogue: object) -> Verdict:
    """The verdict on live traffic with a catalogue of now, `catalogue` being what differs in it."""
    return judged(pki, stamped, Policy(at, live=True), catalogue)


def judged(pki: Instance, stamped: Stamped | bytes, policy: Policy, catalogue: Mapping[str, object]) -> Verdict:
    """The verdict by any policy, with a catalogue of that time."""
    container = stamped if isinstance(stamped, bytes) else stamped.container()
    return verify(container, pki.anchor, policy, pki.catalogue(policy.at, **catalogue))


# --- what a verdict lists ---


def test_a_live_verdict_lists_every_check_in_the_order_of_the_wire(pki: Instance, plain: bytes) -> None:
    verdict = arriving(pki, plain)
    assert [check.name for check in verdict.checks] == CHECKS
    assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
    assert (verdict.valid, verdict.reason, verdict.failure, verdict.notes) == (True, None, None, ())


def test_evidence_says_that_the_standing_was_not_checked(pki: Instance, plain: bytes) -> None:
    without = evidence(pki, plain)
    with_catalogue = verify(plain, pki.anchor, Policy(NOW), pki.catalogue(NOW))
    for verdict in (without, with_catalogue):
        assert verdict.valid
        assert [check.name for check in verdict.checks if check.outcome is Outcome.NOT_CHECKED] == ["clock", "standing"]
    assert without.checks[-1].detail != with_catalogue.checks[-1].detail


def test_after_the_first_failure_nothing_is_checked(pki: Instance, with_body: bytes) -> None:
    verdict = evidence(pki, rebuilt(with_body, {"body": b"[]"}))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    at = CHECKS.index("content")
    assert verdict.reason == "content-changed"
    assert {outcomes[name] for name in CHECKS[:at]} == {Outcome.PASSED}
    assert outcomes["content"] is Outcome.FAILED
    assert {outcomes[name] for name in CHECKS[at + 1 :]} == {Outcome.NOT_CHECKED}


def test_what_a_valid_request_tells(pki: Instance, with_body: bytes) -> None:
    found = evidence(pki, with_body).findings
    assert found.direction is Direction.REQUEST
    assert isinstance(found.head, RequestHead)
    assert (found.head.target, found.body) == (TARGET, b"{}")
    assert found.signer is not None
    assert (found.signer.member, found.signer.server) == (pki.member, pki.server)
    assert (found.signing_time, found.timestamp_time, found.status_produced_at) == (NOW, NOW, NOW)
    assert found.timestamp_certificate == pki.tsa.certificate
    assert found.status_responder == pki.ocsp.certificate


def test_what_a_valid_answer_tells(pki: Instance) -> None:
    found = evidence(pki, answer(pki, NOW)).findings
    assert found.direction is Direction.ANSWER
    assert isinstance(found.head, AnswerHead)
    assert found.head.status == 200
    asked = evidence(pki, request(pki, NOW)).findings
    assert found.head.get("X-Road-Request-Hash") == asked.request_hash


def test_the_verdict_as_json_holds_no_body(pki: Instance) -> None:
    verdict = evidence(pki, request(pki, NOW, body=b"secret-of-the-body"))
    said = json.loads(json.dumps(verdict.to_json()))
    assert (said["valid"], said["reason"], said["direction"]) == (True, None, "request")
    assert said["signer"] == {"member": "QROO/MUN/BENITO-JUAREZ", "server": "QROO/MUN/BENITO-JUAREZ/gw1"}
    assert said["signing_certificate"] == hashlib.sha256(pki.signing.der).hexdigest()
    assert said["timestamp"] == "2026-03-02T10:00:00Z"
    assert [check["name"] for check in said["checks"]] == CHECKS
    assert "secret-of-the-body" not in json.dumps(said)


def test_another_anchor_believes_nothing(pki: Instance, plain: bytes) -> None:
    stranger = Instance(not_before=NOW - dt.timedelta(days=30))
    assert verify(plain, stranger.anchor, Policy(NOW)).reason == "timestamp-unknown-authority"
    elsewhere = Instance("YUC", not_before=NOW - dt.timedelta(days=30))
    assert verify(plain, elsewhere.anchor, Policy(NOW)).reason == "foreign-instance"


# --- time ---


@pytest.mark.parametrize(
    ("status_after", "reason", "notes"),
    [
        (-EIGHT_HOURS - SECOND, "status-too-far", ()),
        (-EIGHT_HOURS, None, ("status-before-timestamp",)),
        (-SECOND, None, ("status-before-timestamp",)),
        (0 * SECOND, None, ()),
        (EIGHT_HOURS, None, ()),
        (EIGHT_HOURS + SECOND, "status-too-far", ()),
    ],
)
def test_the_eight_hour_rule(
    pki: Instance, status_after: dt.timedelta, reason: str | None, notes: tuple[str, ...]
) -> None:
    stamped = request(pki, NOW).but(status_time=NOW + status_after).container()
    later = evidence(pki, stamped, NOW + dt.timedelta(days=1))
    assert (later.reason, later.notes) == (reason, notes)
    if status_after <= FIVE_MINUTES:
        at_once = arriving(pki, stamped)
        assert (at_once.reason, at_once.notes) == (reason, notes)


def test_the_eight_hours_count_from_what_the_responder_knew(pki: Instance) -> None:
    def known(before: dt.timedelta) -> str | None:
        status = status_answer(
            pki.signing.certificate, pki.issuing.certificate, pki.ocsp, NOW, this_update=NOW - before
        )
        return evidence(pki, request(pki, NOW).but(make_status=lambda _: status)).reason

    assert known(EIGHT_HOURS) is None
    assert known(EIGHT_HOURS + SECOND) == "status-too-far"


@pytest.mark.parametrize("off", [-FIVE_MINUTES, FIVE_MINUTES])
def test_the_signing_time_and_the_timestamp(pki: Instance, off: dt.timedelta) -> None:
    beyond = off + (SECOND if off > 0 * SECOND else -SECOND)
    assert evidence(pki, request(pki, NOW).but(signing_time=NOW + off)).valid
    refused = evidence(pki, request(pki, NOW).but(signing_time=NOW + beyond))
    assert refused.reason == "signing-time-off-timestamp"


@pytest.mark.parametrize("off", [-FIVE_MINUTES, FIVE_MINUTES])
def test_the_signing_time_and_the_clock_of_a_receiver(pki: Instance, plain: bytes, off: dt.timedelta) -> None:
    beyond = off + (SECOND if off > 0 * SECOND else -SECOND)
    assert arriving(pki, plain, NOW + off).valid
    assert arriving(pki, plain, NOW + beyond).reason == "signing-time-off-clock"


def test_evidence_may_be_of_any_age_but_not_of_the_future(pki: Instance, plain: bytes) -> None:
    assert evidence(pki, plain, NOW + dt.timedelta(days=36500)).valid
    assert evidence(pki, plain, NOW - FIVE_MINUTES).valid
    assert evidence(pki, plain, NOW - FIVE_MINUTES - SECOND).reason == "timestamp-in-future"


def test_a_status_answer_of_the_future_is_refused(pki: Instance) -> None:
    ahead = request(pki, NOW).but(status_time=NOW + FIVE_MINUTES + SECOND).container()
    assert arriving(pki, ahead, NOW).reason == "status-in-future"
    assert arriving(pki, ahead, NOW + SECOND).valid


def test_a_signing_certificate_of_the_root_itself_is_refused(pki: Instance) -> None:
    signer = pki.signing_for(pki.member, pki.server, issuer=pki.root)
    stamped = request(pki, NOW).but(signer=signer, issuer=pki.root, responder=pki.root_ocsp)
    assert evidence(pki, stamped).reason == "certificate-chain"


def test_the_tolerance_is_the_policys(pki: Instance, plain: bytes) -> None:
    late = NOW + MINUTE + SECOND
    assert judged(pki, plain, Policy(NOW + MINUTE, live=True, tolerance=MINUTE), {}).valid
    assert judged(pki, plain, Policy(late, live=True, tolerance=MINUTE), {}).reason == "signing-time-off-clock"
    apart = request(pki, NOW).but(signing_time=NOW - MINUTE - SECOND).container()
    assert verify(apart, pki.anchor, Policy(NOW, tolerance=MINUTE)).reason == "signing-time-off-timestamp"


def test_chains_are_judged_at_the_time_of_the_timestamp(pki: Instance) -> None:
    def signed(*, not_before: dt.datetime | None = None, not_after: dt.datetime | None = None) -> Verdict:
        signer = pki.signing_for(pki.member, pki.server, not_before=not_before, not_after=not_after)
        return evidence(pki, request(pki, NOW).but(signer=signer), NOW + dt.timedelta(days=3650))

    assert signed(not_after=NOW).valid
    assert signed(not_before=NOW).valid
    assert signed(not_after=NOW - SECOND).reason == "certificate-expired"
    assert signed(not_before=NOW + SECOND).reason == "certificate-not-yet-valid"


def test_an_expired_tsa_and_responder(pki: Instance) -> None:
    tsa = pki.service(Kind.TSA, not_after=NOW)
    responder = pki.service(Kind.OCSP, not_after=NOW)
    assert evidence(pki, request(pki, NOW).but(tsa=tsa, responder=responder)).valid
    late = request(pki, NOW + SECOND)
    assert evidence(pki, late.but(tsa=tsa)).reason == "timestamp-unknown-authority"
    assert evidence(pki, late.but(responder=responder)).reason == "status-unauthorised-responder"


def test_what_was_remembered_of_a_chain_does_not_outlive_it(pki: Instance) -> None:
    """The same certificates are judged at two times, in both orders: what was found once must not count twice."""
    for first in (NOW, NOW + 2 * SECOND):
        signer = pki.signing_for(pki.member, pki.server, not_after=NOW + SECOND)
        for moment in (first, NOW + 2 * SECOND, NOW):
            verdict = evidence(pki, request(pki, moment).but(signer=signer), NOW + HOUR)
            assert verdict.reason == (None if moment == NOW else "certificate-expired")


# --- who signed, and with what ---


@pytest.mark.parametrize("algorithm", ["rsa-2048", "rsa-3072", "ec-p256"])
def test_every_party_may_use_every_key_of_the_wire(algorithm: str) -> None:
    pki = Instance(not_before=NOW - dt.timedelta(days=1), algorithm=algorithm)
    assert arriving(pki, request(pki, NOW)).valid
    assert arriving(pki, answer(pki, NOW)).valid


def test_authorities_on_p384() -> None:
    pki = Instance(not_before=NOW - dt.timedelta(days=1), algorithm="ec-p384")
    signer = pki.signing_for(pki.member, pki.server, key=new_key("ec-p256"))
    responder = pki.service(Kind.OCSP, key=new_key("ec-p256"))
    assert evidence(pki, request(pki, NOW).but(signer=signer, responder=responder)).valid


def test_a_status_answer_by_the_issuing_ca_itself(pki: Instance) -> None:
    stamped = request(pki, NOW)
    by_issuer = stamped.but(
        responder=pki.issuing,
        make_status=lambda each: status_answer(
            each.signer.certificate, pki.issuing.certificate, pki.issuing, NOW, enclosed=()
        ),
    )
    assert evidence(pki, by_issuer).valid


def test_a_self_made_hierarchy_with_the_same_names_is_not_believed(pki: Instance) -> None:
    """Everything sound, and under the very names of the instance, but not under the anchor's root."""
    forged = Instance(not_before=NOW - dt.timedelta(days=30))
    assert forged.issuing.certificate.subject == pki.issuing.certificate.subject
    by_forger = request(forged, NOW)
    assert evidence(pki, by_forger).reason == "timestamp-unknown-authority"
    with_real_tsa = by_forger.but(tsa=pki.tsa)
    assert evidence(pki, with_real_tsa).reason == "certificate-chain"
    with_real_signer = request(pki, NOW).but(responder=forged.ocsp)
    assert evidence(pki, with_real_signer).reason == "status-unauthorised-responder"


def test_signing_certificates_that_no_library_reads_are_refused(pki: Instance, plain: bytes) -> None:
    """A certificate is a stranger's bytes: versions, curves and keys that are unknown must not raise."""
    der = pki.signing.der
    version = der.index(bytes.fromhex("a003020102")) + 4
    curve = der.index(bytes.fromhex("06082a8648ce3d030107")) + 9
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + HOUR)
    edwards = builder.sign(key, None).public_bytes(Encoding.DER)
    reasons = {
        what: evidence(pki, with_embedded(plain, SIGNER, changed)).reason
        for what, changed in {
            "version": flipped(der, version),
            "curve": flipped(der, curve),
            "edwards": edwards,
            "pem": pki.signing.pem,
            "trailing": der + b"\0",
            "nothing": b"\x30\x00",
        }.items()
    }
    assert reasons == {
        "version": "certificate-malformed",
        "curve": "unsupported-algorithm",
        "edwards": "unsupported-algorithm",
        "pem": "signature-malformed",
        "trailing": "certificate-malformed",
        "nothing": "certificate-malformed",
    }


def test_a_signature_over_another_head_of_the_same_signer(pki: Instance) -> None:
    first, second = request(pki, NOW), request(pki, NOW, body=b"x")
    swapped = rebuilt(first.container(), {SIGNATURE_ENTRY: entry_of(second.container(), SIGNATURE_ENTRY)})
    assert not evidence(pki, swapped).valid


def test_a_signed_media_type_is_the_heads(pki: Instance) -> None:
    head = RequestHead(request_headers(Content_Type="Text/HTML; charset=x"), "POST", TARGET).encode()
    usual = request(pki, NOW, head=head, body=b"x", media_type="text/html")
    assert evidence(pki, usual).valid
    other = replace(usual, entries=(usual.entries[0], Entry("body", "text/xml", b"x")))
    assert evidence(pki, other).reason == "media-type-mismatch"
