"""Revoking and suspending, and what catalogue and status feed say of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.orm import Session

from central_registry.administration import Administration
from central_registry.catalogue_contents import build_catalogue
from central_registry.errors import RevocationError, UnknownPartyError
from central_registry.settings import CatalogueSettings
from central_registry.signed_feed import SignedFeed
from central_registry.state_folder import read_certificate, read_key
from estamp.catalogue import Catalogue
from estamp.certificates import fingerprint
from estamp.identifiers import MemberId
from estamp.status_feed import StatusFeed, open_feed
from tests.central_registry.a_registry import MEMBER, SERVER, ARegistry, issue_authentication, issue_signing


def catalogue(administration: Administration, at: datetime | None = None) -> Catalogue:
    with Session(administration.engine) as session:
        return build_catalogue(session, "QROO", 1, at or datetime.now(UTC), CatalogueSettings())


def signed_feed(registry: ARegistry, administration: Administration) -> SignedFeed:
    key = read_key(registry.state.catalogue_signer, registry.settings)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = read_certificate(registry.state.catalogue_signer / "certificate.pem")
    return SignedFeed(administration.engine, "QROO", key, certificate)


def opened(registry: ARegistry, feed: SignedFeed) -> StatusFeed:
    return open_feed(feed.newest().envelope, registry.anchor.catalogue_signer_key, "QROO")


def names_of(certificate: x509.Certificate, tmp_path: Path) -> list[str]:
    file = tmp_path / "certificate.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    serial = f"{certificate.serial_number:040X}"
    pairs = ":".join(serial[at : at + 2] for at in range(0, 40, 2))
    return [str(file), fingerprint(certificate), serial, pairs, serial.lower()]


@pytest.mark.parametrize("way", range(5))
def test_a_certificate_is_revoked_by_file_fingerprint_or_serial(
    administration: Administration, tmp_path: Path, way: int
) -> None:
    certificate = issue_signing(administration)
    row, newly = administration.revoke(names_of(certificate, tmp_path)[way], "keyCompromise")
    assert newly
    assert row.fingerprint == fingerprint(certificate)
    assert catalogue(administration).revoked_certificates == {fingerprint(certificate)}


def test_revoking_again_changes_nothing(administration: Administration) -> None:
    name = fingerprint(issue_signing(administration))
    first, _ = administration.revoke(name, "keyCompromise")
    again, newly = administration.revoke(name, "superseded")
    assert not newly
    assert (again.revoked_at, again.revocation_reason) == (first.revoked_at, "keyCompromise")


def test_a_revoked_authentication_certificate_leaves_its_server(administration: Administration) -> None:
    kept, lost = issue_authentication(administration), issue_authentication(administration)
    administration.revoke(fingerprint(lost), "superseded")
    (server,) = (each for each in catalogue(administration).servers if each.id == str(SERVER))
    assert server.authentication_certificates == (fingerprint(kept),)


def test_expired_certificates_leave_the_catalogue(administration: Administration) -> None:
    certificate = issue_authentication(administration)
    revoked = issue_signing(administration)
    administration.revoke(fingerprint(revoked), "superseded")
    end = certificate.not_valid_after_utc
    shortly_after = catalogue(administration, end + timedelta(minutes=1))
    assert shortly_after.servers[0].authentication_certificates == ()
    assert shortly_after.revoked_certificates == {fingerprint(revoked)}
    assert catalogue(administration, end + timedelta(days=2)).revoked_certificates == frozenset()


def test_what_cannot_be_revoked_is_refused(registry: ARegistry, administration: Administration) -> None:
    for name, reason, expected in (
        ("00ff", "superseded", "unknown-certificate"),
        ("no such thing", "superseded", "unknown-certificate"),
        (fingerprint(registry.anchor.root), "keyCompromise", "root-not-revocable"),
        ("00ff", "certificateHold", "unknown-reason"),
    ):
        with pytest.raises(RevocationError) as caught:
            administration.revoke(name, reason)
        assert caught.value.reason == expected


def test_the_feed_tells_everything_issued_and_revoked(registry: ARegistry, administration: Administration) -> None:
    feed = signed_feed(registry, administration)
    before = opened(registry, feed)
    assert {issuer.authority for issuer in before.issuers} == {registry.anchor.root, administration.issuing_ca()}
    by_root = next(issuer for issuer in before.issuers if issuer.authority == registry.anchor.root)
    assert len(by_root.issued) == 3, "issuing CA, catalogue signer and the root's responder, not the root itself"

    certificate = issue_signing(administration)
    administration.revoke(fingerprint(certificate), "keyCompromise")
    after = opened(registry, feed)
    after.require_successor_of(before)
    issuing = next(issuer for issuer in after.issuers if issuer.authority == administration.issuing_ca())
    serial = f"{certificate.serial_number:x}"
    assert serial in issuing.issued
    assert [(each.serial, each.reason) for each in issuing.revoked] == [(serial, "keyCompromise")]


def test_the_feed_is_signed_anew_but_says_the_same(
    registry: ARegistry, administration: Administration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central_registry.signed_feed.SIGNED_ANEW_AFTER", 0.0)
    feed = signed_feed(registry, administration)
    first, second = opened(registry, feed), opened(registry, feed)
    second.require_successor_of(first)
    assert second.produced_at > first.produced_at
    assert second.version == first.version


def test_suspension_is_told_and_lifted(administration: Administration) -> None:
    assert administration.suspend(MEMBER, "breach")
    assert not administration.suspend(MEMBER, "again")
    assert administration.suspend(SERVER, "breach")
    published = catalogue(administration)
    assert [each.suspended for each in published.members] == [True, False]
    assert [each.suspended for each in published.servers] == [True, False]
    assert administration.unsuspend(MEMBER)
    assert administration.unsuspend(SERVER)
    assert not administration.unsuspend(SERVER)
    published = catalogue(administration)
    assert not any([each.suspended for each in published.members] + [each.suspended for each in published.servers])
    with pytest.raises(UnknownPartyError):
        administration.suspend(MemberId("QROO", "EST", "NONE"), "breach")
