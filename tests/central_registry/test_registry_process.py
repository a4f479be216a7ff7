"""The real `xacbe registry serve` over TLS, at first alone, then with the real TSA and status responder."""

import signal
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from central_registry.administration import open_administration
from estamp.catalogue import Catalogue
from estamp.certificates import fingerprint
from estamp.status import CertificateStatus, make_request, read_answer
from estamp.status_feed import ENVELOPE_MEDIA_TYPE, open_feed
from estamp.verification import Policy, verify_catalogue
from service_runtime.tls import client_context
from tests.central_registry.a_registry import MEMBER, apply, issue_signing
from tests.central_registry.running_instance import Instance, RunningProcess, command, running_instance, until
from tests.pki import TestPki


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, RunningProcess]]:
    with running_instance(tmp_path_factory.mktemp("instance")) as started:
        yield started


@pytest.fixture
def instance(running: tuple[Instance, RunningProcess]) -> Instance:
    return running[0]


def genuine(instance: Instance, container: bytes) -> Catalogue:
    policy = Policy(at=datetime.now(UTC), live=True)
    verdict, catalogue = verify_catalogue(container, instance.registry.anchor, policy)
    assert verdict.valid, verdict
    assert catalogue is not None
    return catalogue


def test_before_tsa_and_responder_run_there_is_the_feed_but_no_catalogue(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    with instance.serve() as serving:
        answer = instance.get("/catalogue")
        assert answer.status_code == 503
        assert answer.json()["reason"] == "no-catalogue-yet"
        feed = instance.get("/status-feed")
        assert feed.headers["content-type"] == ENVELOPE_MEDIA_TYPE
        open_feed(feed.content, instance.registry.anchor.catalogue_signer_key, "QROO")
        until(lambda: any(entry["event"] == "catalogue-not-published" for entry in serving.log()))
        ready = httpx.get(f"{serving.addresses['management']}/health/ready", trust_env=False)
        checks = {check["name"]: check for check in ready.json()["checks"]}
        assert ready.status_code == 503
        assert checks["database"]["ok"]
        assert checks["catalogue"]["reason"] == "timestamping-failed"
        with instance.tsa(), instance.ocsp():
            until(lambda: instance.get("/catalogue").status_code == 200)
            genuine(instance, instance.get("/catalogue").content)
        assert serving.terminate() == 0


def test_the_catalogue_is_genuine_and_names_its_version(instance: Instance) -> None:
    answer = instance.get("/catalogue")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.etsi.asic-e+zip"
    catalogue = genuine(instance, answer.content)
    assert answer.headers["etag"] == f'"{catalogue.version}"'
    assert (catalogue.expires_at - catalogue.issued_at).total_seconds() == 8 * 3600


def test_who_has_the_newest_catalogue_gets_304(instance: Instance) -> None:
    newest = instance.get("/catalogue")
    tag = newest.headers["etag"]
    for known in (tag, f"W/{tag}", f'"0", {tag}'):
        again = instance.get("/catalogue", If_None_Match=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert instance.get("/catalogue", If_None_Match='"0"').status_code == 200


def test_a_held_request_ends_without_news_after_its_wait(instance: Instance) -> None:
    version = int(instance.get("/catalogue").headers["etag"].strip('"'))
    began = time.monotonic()
    answer = instance.get(f"/catalogue?newer-than={version}&wait=0.6")
    assert answer.status_code == 304
    assert 0.5 < time.monotonic() - began < 3
    assert instance.get(f"/catalogue?newer-than={version}").status_code == 304
    assert instance.get(f"/catalogue?newer-than={version - 1}&wait=20").status_code == 200


def test_a_change_by_the_command_line_is_out_within_a_second(instance: Instance, tmp_path: Path) -> None:
    with open_administration(instance.registry.settings) as administration:
        apply(administration, tmp_path)
        until(lambda: len(genuine(instance, instance.get("/catalogue").content).members) == 2)
        version = int(instance.get("/catalogue").headers["etag"].strip('"'))
        answers: list[httpx.Response] = []
        times: list[float] = []

        def wait_for_news() -> None:
            answers.append(instance.get(f"/catalogue?newer-than={version}&wait=20"))
            times.append(time.monotonic())

        waiting = threading.Thread(target=wait_for_news)
        waiting.start()
        time.sleep(0.5)
        changed_at = time.monotonic()
        administration.suspend(MEMBER, "a test")
        waiting.join(timeout=20)
        assert times[0] - changed_at < 1.5
        catalogue = genuine(instance, answers[0].content)
        assert catalogue.version == version + 1
        suspended = catalogue.member(MEMBER)
        assert suspended is not None
        assert suspended.suspended
        administration.unsuspend(MEMBER)


def test_a_revocation_is_in_the_next_feed_and_soon_everywhere(instance: Instance, tmp_path: Path) -> None:
    with open_administration(instance.registry.settings) as administration:
        apply(administration, tmp_path)
        certificate = issue_signing(administration)
        issuer = administration.issuing_ca()

        def status() -> CertificateStatus:
            answer = httpx.post(
                f"http://127.0.0.1:{instance.ocsp_port}/",
                content=make_request(certificate, issuer, b"n" * 32),
                headers={"content-type": "application/ocsp-request"},
                trust_env=False,
            )
            return read_answer(answer.content, certificate, issuer, nonce=b"n" * 32).status

        until(lambda: status() is CertificateStatus.GOOD, seconds=5)
        administration.revoke(fingerprint(certificate), "keyCompromise")
        answer = instance.get("/status-feed")
        feed = open_feed(answer.content, instance.registry.anchor.catalogue_signer_key, "QROO")
        assert f"{certificate.serial_number:x}" in {each.serial for every in feed.issuers for each in every.revoked}
        assert abs((datetime.now(UTC) - feed.produced_at).total_seconds()) < 2
        until(lambda: status() is CertificateStatus.REVOKED, seconds=5)
        name = fingerprint(certificate)
        until(lambda: name in genuine(instance, instance.get("/catalogue").content).revoked_certificates, seconds=2)


def test_a_feed_that_did_not_change_is_told_so(instance: Instance) -> None:
    tag = instance.get("/status-feed").headers["etag"]
    assert instance.get("/status-feed", If_None_Match=tag).status_code == 304


def test_the_issuing_certificates_are_there(instance: Instance) -> None:
    (certificate,) = x509.load_pem_x509_certificates(instance.get("/issuing-certificates").content)
    certificate.verify_directly_issued_by(instance.registry.anchor.root)


def test_a_client_that_trusts_another_root_hears_nothing(instance: Instance) -> None:
    other = client_context(server_cas=[TestPki().root.certificate])
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{instance.url}/catalogue", verify=other, trust_env=False)


def test_older_tls_is_refused(instance: Instance) -> None:
    older = instance.pinned
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{instance.url}/catalogue", verify=older, trust_env=False)


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/nothing", 404, "not-found"),
        ("/catalogue?newer-than=-1", 400, "invalid-parameter"),
        ("/catalogue?newer-than=x", 400, "invalid-parameter"),
        ("/catalogue?wait=nan", 400, "invalid-parameter"),
        ("/catalogue?wait=-1", 400, "invalid-parameter"),
    ],
)
def test_refusals_have_one_form(instance: Instance, path: str, status: int, reason: str) -> None:
    answer = instance.get(path)
    assert answer.status_code == status
    assert set(answer.json()) == {"reason", "message", "advice"}
    assert answer.json()["reason"] == reason


def test_nothing_can_be_written(instance: Instance) -> None:
    answer = httpx.post(f"{instance.url}/catalogue", content=b"x", verify=instance.pinned, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (405, "method-not-allowed")


def test_health_and_figures(running: tuple[Instance, RunningProcess]) -> None:
    instance, serving = running
    management = serving.addresses["management"]
    until(lambda: httpx.get(f"{management}/health/ready", trust_env=False).status_code == 200)
    version = instance.get("/catalogue").headers["etag"].strip('"')
    metrics = httpx.get(f"{management}/metrics", trust_env=False).text
    assert f"xacbe_registry_catalogue_version {version}.0" in metrics


def test_published_catalogues_are_shown(instance: Instance, tmp_path: Path) -> None:
    shown = command("catalogue", "show", config=instance.registry.config)
    assert shown.returncode == 0, shown.stderr
    assert "of QROO, genuine" in shown.stdout
    first = command("catalogue", "show", "--version", "1", "--json", config=instance.registry.config)
    assert first.returncode == 0
    assert '"version": 1' in first.stdout

    file, anchor = tmp_path / "catalogue.asice", tmp_path / "anchor.json"
    container = instance.get("/catalogue").content
    anchor.write_bytes(instance.registry.anchor.dump())
    file.write_bytes(container)
    assert command("catalogue", "show", str(file), "--anchor", str(anchor)).returncode == 0
    file.write_bytes(container.replace(b'"suspended":false', b'"suspended":true ', 1) + b"")
    changed = command("catalogue", "show", str(file), "--anchor", str(anchor))
    assert changed.returncode == 1
    assert "NOT VALID" in changed.stderr


def test_it_serves_with_encrypted_keys(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("of the registry\n")
    passphrase.chmod(0o600)
    instance = Instance(tmp_path, top='key_passphrase_file = "passphrase"\n')
    assert b"ENCRYPTED" in (instance.registry.state.tls / "key.pem").read_bytes()
    with instance.serve():
        feed = instance.get("/status-feed").content
        open_feed(feed, instance.registry.anchor.catalogue_signer_key, "QROO")


def test_a_stop_does_not_wait_for_held_requests_and_a_restart_goes_on(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    with instance.tsa():
        with instance.serve() as serving, instance.ocsp():
            until(lambda: instance.get("/catalogue").status_code == 200)
            answers: list[int] = []
            held = threading.Thread(
                target=lambda: answers.append(instance.get("/catalogue?newer-than=1&wait=25").status_code)
            )
            held.start()
            time.sleep(0.5)
            began = time.monotonic()
            serving.process.send_signal(signal.SIGTERM)
            assert serving.process.wait(timeout=20) == 0
            assert time.monotonic() - began < 5
            held.join(timeout=5)
            assert answers == [304]
        # With the responder away the catalogue of before is served, and a change waits for nothing but the stamp.
        with instance.serve():
            until(lambda: instance.get("/catalogue").status_code == 200)
            assert genuine(instance, instance.get("/catalogue").content).version == 1
