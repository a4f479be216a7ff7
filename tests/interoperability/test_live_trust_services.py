"""The instance's running TSA and status responder, asked by software that is not ours.

What other keys and other clients make of a TSA is in tests/tsa/test_tsa_other_clients.py.
"""

import subprocess
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pki import new_key
from tests.requirements_of_tests import require_module, require_tool
from tests.running_instance import RunningInstance

DATA = b"what a signature covers"
SERVER = "QROO/EST/SSP/gw1"


def test_rfc3161_client_accepts_what_the_instance_s_tsa_answers(instance: RunningInstance) -> None:
    require_module("rfc3161_client")
    from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
    from rfc3161_client.errors import VerificationError

    def certificate(*path: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(instance.registry_state.joinpath(*path).read_bytes())

    request = TimestampRequestBuilder().data(DATA).nonce(nonce=True).cert_request(cert_request=True).build()
    headers = {"Content-Type": "application/timestamp-query"}
    answer = httpx.post(instance.ports.tsa.url, content=request.as_bytes(), headers=headers, trust_env=False)
    response = decode_timestamp_response(answer.content)
    verifier = (
        VerifierBuilder.from_request(request)
        .add_root_certificate(certificate("root", "certificate.pem"))
        .add_intermediate_certificate(certificate("issuing-ca", "certificate.pem"))
        .tsa_certificate(certificate("trust-services", "tsa", "certificate.pem"))
        .build()
    )
    assert verifier.verify_message(response, DATA)
    with pytest.raises(VerificationError):
        verifier.verify_message(response, DATA + b"!")


class Asking:
    """`openssl ocsp` over HTTP about certificates of the instance's issuing CA."""

    def __init__(self, instance: RunningInstance, folder: Path) -> None:
        self._openssl = str(require_tool("openssl"))
        self._address = f"{instance.ports.ocsp.url}/"
        self._folder = folder
        self.issuing = instance.registry_state / "issuing-ca" / "certificate.pem"
        root = instance.registry_state / "root" / "certificate.pem"
        (folder / "trusted.pem").write_bytes(root.read_bytes() + self.issuing.read_bytes())

    def about(self, *certificate: str) -> str:
        """What it says; fails the test unless it verified the answer, with its nonce."""
        command = [self._openssl, "ocsp", "-url", self._address, "-issuer", str(self.issuing), *certificate]
        done = subprocess.run(
            [*command, "-CAfile", "trusted.pem"],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "Response verify OK" in said
        assert "no nonce" not in said
        return said


@pytest.fixture
def asking(instance: RunningInstance, tmp_path: Path) -> Asking:
    return Asking(instance, tmp_path)


def test_openssl_sees_good_and_within_five_seconds_of_the_revocation_revoked(
    instance: RunningInstance, asking: Asking, tmp_path: Path
) -> None:
    key = new_key()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    (tmp_path / "new.csr").write_bytes(csr.public_bytes(Encoding.PEM))
    order = ("--kind", "authentication", "--server", SERVER, "--out", tmp_path / "new.pem")
    instance.registry("issue", tmp_path / "new.csr", *order)
    deadline = time.monotonic() + 5
    while "new.pem: good" not in (said := asking.about("-cert", "new.pem")):
        assert time.monotonic() < deadline, said
    instance.registry("revoke", tmp_path / "new.pem", "--reason", "keyCompromise")
    deadline = time.monotonic() + 5
    while "new.pem: revoked" not in (said := asking.about("-cert", "new.pem")):
        assert time.monotonic() < deadline, said
    assert "Reason: keyCompromise" in said
    assert "Revocation Time: " in said


def test_openssl_sees_unknown_for_what_was_never_issued(asking: Asking) -> None:
    assert "0x123456789: unknown" in asking.about("-serial", "0x123456789")
