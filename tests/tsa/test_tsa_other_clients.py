"""Software that is not ours asks the running authority and judges its tokens."""

import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from estamp.certificates import Kind
from tests.pki import Credential, TestPki, new_key
from tests.requirements_of_tests import require_module, require_tool
from tests.tsa.running_tsa import RunningTsa, write_settings

DATA = b"signature value"
PKI = TestPki()


@pytest.fixture(scope="module", params=["ec-p256", "ec-p384", "rsa-2048"])
def any_authority(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTsa]:
    tsa = PKI.service(Kind.TSA, key=new_key(request.param))
    with RunningTsa(write_settings(tmp_path_factory.mktemp("tsa"), tsa)) as running:
        yield running


def serve(folder: Path, tsa: Credential, *, enclose_chain: bool) -> RunningTsa:
    return RunningTsa(write_settings(folder, tsa, more=f"enclose_chain = {str(enclose_chain).lower()}"))


def run_openssl(folder: Path, *arguments: str) -> str:
    program = require_tool("openssl")
    result = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return result.stdout + result.stderr


def write_files(folder: Path) -> None:
    (folder / "data").write_bytes(DATA)
    (folder / "root.pem").write_bytes(PKI.root.pem)
    (folder / "issuing.pem").write_bytes(PKI.issuing.pem)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_openssl_asks_and_verifies(any_authority: RunningTsa, tmp_path: Path, algorithm: str) -> None:
    write_files(tmp_path)
    run_openssl(tmp_path, "ts", "-query", "-data", "data", f"-{algorithm}", "-cert", "-out", "query.tsq")
    (tmp_path / "reply.tsr").write_bytes(any_authority.post((tmp_path / "query.tsq").read_bytes()).content)
    trust = ("-CAfile", "root.pem", "-untrusted", "issuing.pem")
    verify = ("ts", "-verify", "-in", "reply.tsr", *trust)
    assert "Verification: OK" in run_openssl(tmp_path, *verify, "-queryfile", "query.tsq")
    assert "Verification: OK" in run_openssl(tmp_path, *verify, "-data", "data")
    (tmp_path / "data").write_bytes(DATA + b"!")
    assert "Verification: FAILED" in run_openssl(tmp_path, *verify, "-data", "data")


def test_openssl_reads_a_refusal(any_authority: RunningTsa, tmp_path: Path) -> None:
    (tmp_path / "reply.tsr").write_bytes(any_authority.post(b"nonsense").content)
    text = run_openssl(tmp_path, "ts", "-reply", "-in", "reply.tsr", "-text")
    assert "Status: Rejected." in text
    assert "the data submitted has the wrong format" in text


@pytest.mark.parametrize("enclose_chain", [False, True])
@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
def test_rfc3161_client_verifies_the_answer(tmp_path: Path, algorithm: str, enclose_chain: bool) -> None:
    require_module("rfc3161_client")
    from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
    from rfc3161_client.errors import VerificationError

    tsa = PKI.service(Kind.TSA, key=new_key(algorithm))
    request = TimestampRequestBuilder().data(DATA).nonce(nonce=True).cert_request(cert_request=True).build()
    with serve(tmp_path, tsa, enclose_chain=enclose_chain) as running:
        response = decode_timestamp_response(running.post(request.as_bytes()).content)
    verifier = (
        VerifierBuilder.from_request(request)
        .add_root_certificate(PKI.root.certificate)
        .add_intermediate_certificate(PKI.issuing.certificate)
        .tsa_certificate(tsa.certificate)
        .build()
    )
    assert verifier.verify_message(response, DATA)
    with pytest.raises(VerificationError):
        verifier.verify_message(response, DATA + b"!")


@pytest.mark.parametrize("enclose_chain", [False, True])
def test_rfc3161ng_verifies_the_answer_of_an_rsa_authority(tmp_path: Path, enclose_chain: bool) -> None:
    rfc3161ng = require_module("rfc3161ng")
    tsa = PKI.service(Kind.TSA, key=new_key("rsa-2048"))
    digest = hashlib.sha256(DATA).digest()
    nonce = secrets.randbits(63)
    with serve(tmp_path, tsa, enclose_chain=enclose_chain) as running:
        stamper = rfc3161ng.RemoteTimestamper(
            running.url, certificate=tsa.pem, hashname="sha256", include_tsa_certificate=True
        )
        token = stamper(digest=digest, nonce=nonce)
    assert rfc3161ng.check_timestamp(token, certificate=tsa.pem, digest=digest, hashname="sha256", nonce=nonce)
    with pytest.raises(ValueError, match="imprint"):
        rfc3161ng.check_timestamp(token, certificate=tsa.pem, data=b"else", hashname="sha256", nonce=nonce)
