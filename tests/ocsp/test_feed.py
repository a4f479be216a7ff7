"""Where the responder's knowledge comes from: what it takes in, keeps, and does when the registry is away."""

import datetime as dt
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.x509 import ocsp

from estamp.status import CertificateStatus, make_request, read_answer
from tests.ocsp.feed_server import FeedServer
from tests.ocsp.responder_process import ResponderProcess, write_settings
from tests.pki import Credential, TestPki

FAST = "poll_seconds = 0.1"


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture
def registry(pki: TestPki, tmp_path: Path) -> Iterator[FeedServer]:
    with FeedServer(pki, tmp_path) as server:
        yield server


def status_of(process: ResponderProcess, about: Credential, issuer: Credential) -> CertificateStatus | None:
    """What the responder says; None for tryLater."""
    request = make_request(about.certificate, issuer.certificate, b"nonce")
    headers = {"Content-Type": "application/ocsp-request"}
    data = httpx.post(process.url, content=request, headers=headers).content
    if ocsp.load_der_ocsp_response(data).response_status is ocsp.OCSPResponseStatus.TRY_LATER:
        return None
    return read_answer(data, about.certificate, issuer.certificate, nonce=b"nonce").status


def feed_check(process: ResponderProcess) -> str:
    """The reason that the readiness check of the feed gives; empty when it is content."""
    checks = httpx.get(f"{process.management}/health/ready").json()["checks"]
    reason: str = next(check["reason"] for check in checks if check["name"] == "feed")
    return reason


def test_without_word_from_the_registry_it_says_try_later_never_good(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    registry.signs_anew = True
    settings = write_settings(tmp_path, pki, registry.url, feed=f"{FAST}\nmax_age_seconds = 1.0")
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        assert status_of(process, pki.signing, pki.issuing) is CertificateStatus.GOOD
        registry.stop()
        process.wait_for(lambda: not process.is_ready(), seconds=5)
        assert status_of(process, pki.signing, pki.issuing) is None
        assert feed_check(process) == "ocsp-feed-stale"
        registry.start()
        process.wait_for(process.is_ready, seconds=5)
        assert status_of(process, pki.signing, pki.issuing) is CertificateStatus.GOOD
        # The outage is in the log when it begins and when it ends, not at every poll.
        assert 1 <= len(process.logged("status-feed-not-fetched")) <= 3
        assert process.logged("status-feed-fetched-again")


def test_while_the_registry_is_away_this_update_says_since_when(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        registry.stop()
        stopped_at = dt.datetime.now(dt.UTC)
        time.sleep(2.1)
        request = make_request(pki.signing.certificate, pki.issuing.certificate, b"nonce")
        headers = {"Content-Type": "application/ocsp-request"}
        data = httpx.post(process.url, content=request, headers=headers).content
        answer = read_answer(data, pki.signing.certificate, pki.issuing.certificate, nonce=b"nonce")
    assert answer.status is CertificateStatus.GOOD
    assert answer.this_update <= stopped_at < answer.produced_at


def test_before_any_feed_it_says_try_later(pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, "https://127.0.0.1:1")
    with ResponderProcess(settings) as process:
        assert status_of(process, pki.signing, pki.issuing) is None
        assert feed_check(process) == "ocsp-feed-missing"
        assert httpx.get(f"{process.management}/health/live").status_code == 200


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_needs_no_registry(registry: FeedServer, pki: TestPki, tmp_path: Path, how: str) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    registry.revoke(pki.tsa)
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        getattr(process, how)()
    registry.stop()
    with ResponderProcess(settings) as process:
        assert status_of(process, pki.signing, pki.issuing) is CertificateStatus.GOOD
        assert status_of(process, pki.tsa, pki.issuing) is CertificateStatus.REVOKED
        assert process.stop() == 0


def test_a_feed_is_as_old_as_its_signature_whatever_the_server_says(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    """Whoever holds the registry's TLS key, but not the signer's, cannot hide a revocation by serving an old feed."""
    registry.publish(produced_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    with ResponderProcess(settings) as process:
        process.wait_for(lambda: registry.not_modified > 1)
        assert status_of(process, pki.signing, pki.issuing) is None
        assert feed_check(process) == "ocsp-feed-stale"
        registry.publish()
        process.wait_for(process.is_ready)
        assert status_of(process, pki.signing, pki.issuing) is CertificateStatus.GOOD


def test_an_unchanged_feed_is_signed_anew_on_disk_now_and_then(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    registry.etag = '"1"'  # of the version alone, as the registry's is
    settings = write_settings(tmp_path, pki, registry.url, feed=f"{FAST}\nmax_age_seconds = 4.0")
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        before = registry.requests
        registry.publish()
        process.wait_for(lambda: (tmp_path / "status-feed.json").read_bytes() == registry.envelope, seconds=4)
        assert registry.not_modified > 0
        assert registry.requests - before > 2


def test_an_older_feed_never_replaces_a_newer_one(registry: FeedServer, pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=f"{FAST}\nmax_age_seconds = 2.0")
    before = registry.envelope
    registry.revoke(pki.tsa)
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        registry.envelope = before
        process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
        assert "version 1" in process.logged("status-feed-not-fetched")[0]["problem"]
        assert status_of(process, pki.tsa, pki.issuing) is CertificateStatus.REVOKED
    kept = (tmp_path / "status-feed.json").read_bytes()
    with ResponderProcess(settings) as process:
        process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
        assert status_of(process, pki.tsa, pki.issuing) in (CertificateStatus.REVOKED, None)
    assert (tmp_path / "status-feed.json").read_bytes() == kept


def test_a_feed_signed_by_anyone_else_is_not_taken_in(registry: FeedServer, pki: TestPki, tmp_path: Path) -> None:
    registry.publish(signer=pki.signing, version=9)
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    with ResponderProcess(settings) as process:
        process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
        assert status_of(process, pki.signing, pki.issuing) is None
    assert not (tmp_path / "status-feed.json").exists()


@pytest.mark.parametrize("whose", ["a foreign registry", "a gateway"])
def test_only_the_registry_behind_the_anchors_root_is_believed(pki: TestPki, tmp_path: Path, whose: str) -> None:
    tls = TestPki().registry if whose == "a foreign registry" else pki.authentication
    with FeedServer(pki, tmp_path, tls) as impostor:
        settings = write_settings(tmp_path, pki, impostor.url, feed=FAST)
        with ResponderProcess(settings) as process:
            process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
            assert "CERTIFICATE_VERIFY_FAILED" in process.logged("status-feed-not-fetched")[0]["problem"]
            assert status_of(process, pki.signing, pki.issuing) is None
        assert impostor.requests == 0


def test_a_feed_beyond_the_limit_is_not_taken_in(registry: FeedServer, pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=f"{FAST}\nmax_bytes = 100")
    with ResponderProcess(settings) as process:
        process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
        assert "feed.max_bytes" in process.logged("status-feed-not-fetched")[0]["problem"]


def test_a_feed_that_is_silent_about_a_served_issuer_is_told(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    other = TestPki()
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    # The settings now serve an issuing CA that the registry's feed knows nothing of.
    (tmp_path / "issuing-ca.pem").write_bytes(other.issuing.pem)
    (tmp_path / "ocsp.pem").write_bytes(other.ocsp.pem)
    (tmp_path / "ocsp.key").write_bytes(other.ocsp.key_pem)
    with ResponderProcess(settings) as process:
        process.wait_for(lambda: feed_check(process) == "ocsp-feed-without-issuer", seconds=5)
        assert status_of(process, other.signing, other.issuing) is None
        assert status_of(process, pki.catalogue_signer, pki.root) is CertificateStatus.GOOD


def test_a_revocation_shows_even_when_the_copy_cannot_be_written(
    registry: FeedServer, pki: TestPki, tmp_path: Path
) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    settings.write_text(settings.read_text().replace('"status-feed.json"', '"kept/status-feed.json"'))
    kept = tmp_path / "kept" / "status-feed.json"
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        shutil.rmtree(kept.parent)
        registry.revoke(pki.tsa)
        process.wait_for(lambda: status_of(process, pki.tsa, pki.issuing) is CertificateStatus.REVOKED, seconds=5)
        process.wait_for(lambda: bool(process.logged("status-feed-not-fetched")), seconds=5)
        assert "kept" in process.logged("status-feed-not-fetched")[0]["problem"]
        kept.parent.mkdir()
        process.wait_for(kept.exists, seconds=5)
        assert kept.read_bytes() == registry.envelope


def test_the_copy_on_disk_is_the_registrys_envelope(registry: FeedServer, pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, registry.url, feed=FAST)
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        assert (tmp_path / "status-feed.json").read_bytes() == registry.envelope
        registry.revoke(pki.tsa)
        process.wait_for(lambda: (tmp_path / "status-feed.json").read_bytes() == registry.envelope, seconds=5)
        assert json.loads(registry.envelope)["payloadType"] == "application/vnd.xacbe.status-feed+json"
