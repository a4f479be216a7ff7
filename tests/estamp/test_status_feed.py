"""The registry's status feed: signed by the catalogue signer, of this instance, never an older one."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from estamp.certificates import key_fingerprint
from estamp.errors import StatusError
from estamp.status_feed import (
    STATUS_FEED_MEDIA_TYPE,
    IssuerStatus,
    RevokedCertificate,
    StatusFeed,
    open_feed,
    serial_text,
    sign_feed,
)
from tests.pki import Credential, TestPki

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def feed_of(pki: TestPki, version: int = 7, produced_at: dt.datetime = NOW, revoked: bool = False) -> StatusFeed:
    serial = pki.signing.certificate.serial_number
    revocations = [RevokedCertificate(serial=serial_text(serial), at=NOW, reason="keyCompromise")] if revoked else []
    return StatusFeed(
        instance=pki.instance,
        version=version,
        produced_at=produced_at,
        issuers=(IssuerStatus.of(pki.issuing.certificate, [serial], revocations),),
    )


def signed(feed: StatusFeed, signer: Credential) -> bytes:
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    return sign_feed(feed, signer.key, signer.certificate)


def opened(data: bytes, pki: TestPki, instance: str = "QROO") -> StatusFeed:
    return open_feed(data, key_fingerprint(pki.catalogue_signer.certificate), instance)


def refusal(data: bytes, pki: TestPki, instance: str = "QROO") -> str:
    with pytest.raises(StatusError) as caught:
        opened(data, pki, instance)
    return caught.value.reason


def test_a_signed_feed_is_opened_as_it_was(pki: TestPki) -> None:
    feed = feed_of(pki, revoked=True)
    found = opened(signed(feed, pki.catalogue_signer), pki)
    assert found == feed
    assert found.issuers[0].authority == pki.issuing.certificate


def test_the_signature_is_a_dsse_one(pki: TestPki) -> None:
    """Checked with the pre-authentication encoding written out here, as another implementation would."""
    envelope = json.loads(signed(feed_of(pki), pki.catalogue_signer))
    payload = base64.b64decode(envelope["payload"])
    kind = STATUS_FEED_MEDIA_TYPE.encode()
    covered = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    key = pki.catalogue_signer.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), covered, ec.ECDSA(hashes.SHA256()))
    assert envelope["payloadType"] == "application/vnd.xacbe.status-feed+json"
    assert envelope["signatures"][0]["keyid"] == key_fingerprint(pki.catalogue_signer.certificate)


def test_a_feed_by_anyone_else_is_refused(pki: TestPki) -> None:
    assert refusal(signed(feed_of(pki), pki.signing), pki) == "feed-invalid"
    assert refusal(signed(feed_of(pki), TestPki().catalogue_signer), pki) == "feed-invalid"


def test_a_key_that_is_not_the_certificates_signs_nothing(pki: TestPki) -> None:
    with pytest.raises(StatusError):
        signed(feed_of(pki), Credential(pki.catalogue_signer.certificate, pki.signing.key))


def test_the_anchors_certificate_over_a_foreign_signature_is_refused(pki: TestPki) -> None:
    foreign = json.loads(signed(feed_of(pki), pki.signing))
    own = json.loads(signed(feed_of(pki), pki.catalogue_signer))
    foreign["certificate"] = own["certificate"]
    foreign["signatures"][0]["keyid"] = own["signatures"][0]["keyid"]
    assert refusal(json.dumps(foreign).encode(), pki) == "feed-invalid"


def test_a_feed_of_another_instance_is_refused(pki: TestPki) -> None:
    assert refusal(signed(feed_of(pki), pki.catalogue_signer), pki, "YUC") == "feed-other-instance"


def test_no_byte_of_what_is_signed_can_change(pki: TestPki) -> None:
    envelope = json.loads(signed(feed_of(pki, revoked=True), pki.catalogue_signer))
    payload = base64.b64decode(envelope["payload"])
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 0x01
        envelope["payload"] = base64.b64encode(changed).decode()
        assert refusal(json.dumps(envelope).encode(), pki) == "feed-invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "application/json"},
        {"signatures": []},
        {"extra": 1},
        {"payload": "%%%"},
        {"certificate": "AAAA"},
    ],
)
def test_another_envelope_is_refused(pki: TestPki, change: dict[str, Any]) -> None:
    envelope = json.loads(signed(feed_of(pki), pki.catalogue_signer)) | change
    assert refusal(json.dumps(envelope).encode(), pki) == "feed-invalid"


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_envelope_is_refused(pki: TestPki, data: bytes) -> None:
    assert refusal(data, pki) == "feed-invalid"


def test_a_feed_only_follows_an_older_one(pki: TestPki) -> None:
    held, later = feed_of(pki), NOW + dt.timedelta(minutes=1)
    feed_of(pki, version=8).require_successor_of(held)
    feed_of(pki, produced_at=later).require_successor_of(held)
    held.require_successor_of(held)
    for older in (feed_of(pki, version=6, produced_at=later), feed_of(pki, produced_at=NOW - dt.timedelta(seconds=1))):
        with pytest.raises(StatusError) as caught:
            older.require_successor_of(held)
        assert caught.value.reason == "feed-older"
    with pytest.raises(StatusError) as caught:
        feed_of(pki, produced_at=later, revoked=True).require_successor_of(held)
    assert caught.value.reason == "feed-invalid"


@pytest.mark.parametrize(
    ("issued", "revoked"),
    [(["1", "1"], []), (["1"], ["2"]), (["1"], ["1", "1"]), (["01"], []), (["A"], []), (["0"], []), (["f" * 41], [])],
)
def test_records_that_contradict_themselves_are_refused(pki: TestPki, issued: list[str], revoked: list[str]) -> None:
    with pytest.raises(ValidationError):
        IssuerStatus.model_validate(
            {
                "certificate": base64.b64encode(pki.issuing.der).decode(),
                "issued": issued,
                "revoked": [{"serial": serial, "at": "2026-03-01T12:00:00Z"} for serial in revoked],
            }
        )


@pytest.mark.parametrize(
    "change", [{"at": "2026-03-01T12:00:00"}, {"reason": "certificateHold"}, {"reason": "boredom"}]
)
def test_a_revocation_is_for_good_and_has_a_zone(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        RevokedCertificate.model_validate({"serial": "1", "at": "2026-03-01T12:00:00Z"} | change)
