"""The running responder: what it says of certificates, over HTTP, from a feed that really comes over TLS."""

import base64
import datetime as dt
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from estamp.certificates import Kind
from estamp.errors import StatusError
from estamp.status import CertificateStatus, StatusAnswer, make_request, read_answer
from tests.ocsp.feed_server import FeedServer
from tests.ocsp.responder_process import ResponderProcess, write_settings
from tests.pki import Credential, TestPki, new_key
from tests.requirements_of_tests import require_module, require_tool

NONCE = b"a nonce of some length"
REQUEST_TYPE = {"Content-Type": "application/ocsp-request"}


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture(scope="module")
def registry(pki: TestPki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeedServer]:
    with FeedServer(pki, tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def responder(
    pki: TestPki, registry: FeedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ResponderProcess]:
    settings = write_settings(tmp_path_factory.mktemp("responder"), pki, registry.url)
    with ResponderProcess(settings) as process:
        process.wait_for(process.is_ready)
        yield process


def post(url: str, request: bytes) -> bytes:
    """The OCSP response to a posted request."""
    answer = httpx.post(url, content=request, headers=REQUEST_TYPE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/ocsp-response")
    return answer.content


def ask(url: str, about: Credential, issuer: Credential) -> StatusAnswer:
    """Ask as a gateway does."""
    request = make_request(about.certificate, issuer.certificate, NONCE)
    return read_answer(post(url, request), about.certificate, issuer.certificate, nonce=NONCE)


def declined(data: bytes) -> ocsp.OCSPResponseStatus:
    """The status of a response that declines."""
    response = ocsp.load_der_ocsp_response(data)
    assert response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL
    return response.response_status


def test_what_was_issued_is_good(responder: ResponderProcess, pki: TestPki) -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    answer = ask(responder.url, pki.signing, pki.issuing)
    assert answer.status is CertificateStatus.GOOD
    assert answer.responder == pki.ocsp.certificate
    assert before <= answer.produced_at <= dt.datetime.now(dt.UTC)
    assert answer.produced_at - dt.timedelta(seconds=10) <= answer.this_update <= answer.produced_at
    assert answer.next_update is not None
    assert abs(answer.next_update - answer.produced_at - dt.timedelta(hours=1)) <= dt.timedelta(seconds=1)


def test_the_root_has_its_own_responder_certificate(responder: ResponderProcess, pki: TestPki) -> None:
    for about in (pki.issuing, pki.catalogue_signer):
        answer = ask(responder.url, about, pki.root)
        assert (answer.status, answer.responder) == (CertificateStatus.GOOD, pki.root_ocsp.certificate)


def test_what_was_never_issued_is_unknown(responder: ResponderProcess, pki: TestPki) -> None:
    forged = pki.signing_for(pki.member, pki.server)
    assert ask(responder.url, forged, pki.issuing).status is CertificateStatus.UNKNOWN


def test_a_revocation_shows_within_five_seconds(
    responder: ResponderProcess, registry: FeedServer, pki: TestPki
) -> None:
    assert ask(responder.url, pki.tsa, pki.issuing).status is CertificateStatus.GOOD
    at = registry.revoke(pki.tsa, "cessationOfOperation")
    deadline = time.monotonic() + 5
    while (answer := ask(responder.url, pki.tsa, pki.issuing)).status is CertificateStatus.GOOD:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status is CertificateStatus.REVOKED
    assert (answer.revoked_at, answer.revocation_reason) == (at, "cessationOfOperation")
    assert ask(responder.url, pki.signing, pki.issuing).status is CertificateStatus.GOOD


def test_an_unspecified_reason_is_left_out(responder: ResponderProcess, registry: FeedServer, pki: TestPki) -> None:
    registry.revoke(pki.authentication, "unspecified")

    def revoked() -> bool:
        return ask(responder.url, pki.authentication, pki.issuing).status is CertificateStatus.REVOKED

    responder.wait_for(revoked, seconds=5)
    assert ask(responder.url, pki.authentication, pki.issuing).revocation_reason is None


def test_an_unchanged_feed_is_not_sent_again(responder: ResponderProcess, registry: FeedServer) -> None:
    before = registry.not_modified
    responder.wait_for(lambda: registry.not_modified >= before + 2, seconds=10)


def openssl_files(folder: Path, pki: TestPki) -> dict[str, str]:
    """The certificates as files: signing, issuing, and the chain to trust."""
    for name, data in [
        ("signing.pem", pki.signing.pem),
        ("issuing.pem", pki.issuing.pem),
        ("trusted.pem", pki.root.pem + pki.issuing.pem),
    ]:
        (folder / name).write_bytes(data)
    return {name: str(folder / f"{name}.pem") for name in ("signing", "issuing", "trusted")}


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
def test_openssl_asks_and_accepts(responder: ResponderProcess, pki: TestPki, tmp_path: Path, digest: str) -> None:
    openssl, files = require_tool("openssl"), openssl_files(tmp_path, pki)
    common = ["-issuer", files["issuing"], digest, "-cert", files["signing"], "-CAfile", files["trusted"]]
    kept = str(tmp_path / "response.der")
    asked = subprocess.run(
        [openssl, "ocsp", *common, "-url", responder.url, "-respout", kept], capture_output=True, text=True, check=True
    )
    assert "Response verify OK" in asked.stderr
    assert f"{files['signing']}: good" in asked.stdout
    assert "WARNING" not in asked.stdout + asked.stderr
    read = subprocess.run(
        [openssl, "ocsp", *common, "-respin", kept, "-no_nonce"], capture_output=True, text=True, check=True
    )
    assert "Response verify OK" in read.stderr
    assert f"{files['signing']}: good" in read.stdout


def lint_findings(folder: Path, linter: str, data: bytes) -> str:
    """What pkilint finds at severity ERROR and above; empty when nothing."""
    require_module("pkilint")
    file = folder / "linted.der"
    file.write_bytes(data)
    command = [
        sys.executable,
        "-m",
        f"pkilint.bin.{linter}",
        "lint",
        "-s",
        "ERROR",
        "--document-format",
        "DER",
        str(file),
    ]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    return linted.stdout + linted.stderr if linted.returncode or linted.stdout.strip() else ""


def test_pkilint_finds_no_error_in_answers(responder: ResponderProcess, pki: TestPki, tmp_path: Path) -> None:
    for about, issuer in [
        (pki.signing, pki.issuing),
        (pki.tsa, pki.issuing),
        (pki.signing_for(pki.member, pki.server), pki.issuing),
        (pki.catalogue_signer, pki.root),
    ]:
        answer = ask(responder.url, about, issuer)
        assert lint_findings(tmp_path, "lint_ocsp_response", answer.der) == ""


def test_pkilint_finds_no_error_in_the_responders_certificates(pki: TestPki, tmp_path: Path) -> None:
    for credential in (pki.ocsp, pki.root_ocsp):
        assert lint_findings(tmp_path, "lint_pkix_cert", credential.der) == ""


@pytest.mark.parametrize("safe", ["", "/+="])
def test_a_request_may_come_in_the_path(responder: ResponderProcess, pki: TestPki, safe: str) -> None:
    builder = ocsp.OCSPRequestBuilder().add_certificate(pki.signing.certificate, pki.issuing.certificate, hashes.SHA1())
    der = builder.build().public_bytes(Encoding.DER)
    path = urllib.parse.quote(base64.b64encode(der).decode(), safe=safe)
    answer = httpx.get(f"{responder.url}/{path}")
    assert answer.headers["Content-Type"] == "application/ocsp-response"
    read = read_answer(answer.content, pki.signing.certificate, pki.issuing.certificate, nonce=None)
    assert read.status is CertificateStatus.GOOD
    assert "max-age=1," in answer.headers["Cache-Control"]
    assert answer.headers["ETag"].startswith('"')


@pytest.mark.parametrize("path", ["", "hello", "AAAA", "MA==", "%%%", "MEI"])
def test_a_path_that_is_no_request_is_malformed(responder: ResponderProcess, path: str) -> None:
    answer = httpx.get(f"{responder.url}/{path}")
    assert declined(answer.content) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [b"", b"hello", b"\x30\x00", bytes(200)])
def test_a_body_that_is_no_request_is_malformed(responder: ResponderProcess, body: bytes) -> None:
    assert declined(post(responder.url, body)) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_request_with_a_tail_is_malformed(responder: ResponderProcess, pki: TestPki) -> None:
    request = make_request(pki.signing.certificate, pki.issuing.certificate, NONCE)
    assert declined(post(responder.url, request + b"\x00")) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize(("length", "is_accepted"), [(0, False), (1, True), (32, True), (128, True), (129, False)])
def test_nonces_of_1_to_128_bytes_are_echoed(
    responder: ResponderProcess, pki: TestPki, length: int, is_accepted: bool
) -> None:
    nonce = bytes(range(length))
    data = post(responder.url, make_request(pki.signing.certificate, pki.issuing.certificate, nonce))
    if is_accepted:
        read_answer(data, pki.signing.certificate, pki.issuing.certificate, nonce=nonce)
    else:
        assert declined(data) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_an_unknown_critical_extension_is_malformed(responder: ResponderProcess, pki: TestPki) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    builder = ocsp.OCSPRequestBuilder().add_certificate(pki.signing.certificate, pki.issuing.certificate, hashes.SHA1())
    request = builder.add_extension(unknown, critical=True).build().public_bytes(Encoding.DER)
    assert declined(post(responder.url, request)) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_foreign_issuer_is_unauthorized(responder: ResponderProcess) -> None:
    foreign = TestPki()
    request = make_request(foreign.signing.certificate, foreign.issuing.certificate, NONCE)
    assert declined(post(responder.url, request)) is ocsp.OCSPResponseStatus.UNAUTHORIZED
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        foreign.signing.certificate, foreign.issuing.certificate, hashes.SHA512()
    )
    request = builder.build().public_bytes(Encoding.DER)
    assert declined(post(responder.url, request)) is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_http_refusals(responder: ResponderProcess, pki: TestPki) -> None:
    request = make_request(pki.signing.certificate, pki.issuing.certificate, NONCE)
    assert httpx.post(responder.url, content=bytes(20_000), headers=REQUEST_TYPE).status_code == 413
    assert httpx.post(responder.url, content=request).status_code == 415
    assert httpx.post(f"{responder.url}/elsewhere", content=request, headers=REQUEST_TYPE).status_code == 404
    put = httpx.put(responder.url, content=request, headers=REQUEST_TYPE)
    assert (put.status_code, put.headers["Allow"]) == (405, "GET, POST")


def test_health_and_figures(responder: ResponderProcess) -> None:
    assert httpx.get(f"{responder.management}/health/live").status_code == 200
    checks = httpx.get(f"{responder.management}/health/ready").json()["checks"]
    assert {check["name"]: check["ok"] for check in checks} == {"feed": True, "certificates": True}
    figures = httpx.get(f"{responder.management}/metrics").text
    assert 'xacbe_ocsp_answers_total{outcome="good"}' in figures
    assert "xacbe_ocsp_feed_version" in figures


def test_an_rsa_responder_answers_too(tmp_path: Path) -> None:
    pki = TestPki()
    credential = pki.service(Kind.OCSP, key=new_key("rsa-2048"))
    with FeedServer(pki, tmp_path) as registry:
        settings = write_settings(tmp_path, pki, registry.url, ocsp=credential)
        with ResponderProcess(settings) as process:
            process.wait_for(process.is_ready)
            answer = ask(process.url, pki.signing, pki.issuing)
    assert (answer.status, answer.responder) == (CertificateStatus.GOOD, credential.certificate)


def test_a_changed_answer_is_refused_by_the_asker(responder: ResponderProcess, pki: TestPki) -> None:
    der = bytearray(ask(responder.url, pki.signing, pki.issuing).der)
    der[len(der) // 3] ^= 1
    with pytest.raises(StatusError):
        read_answer(bytes(der), pki.signing.certificate, pki.issuing.certificate, nonce=NONCE)
