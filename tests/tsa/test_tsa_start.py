"""What the authority refuses to start with, each named with its reason and what to do."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from estamp.certificates import Kind, service_uri
from tests.pki import Credential, TestPki, key_usage, new_key
from tests.tsa.running_tsa import RunningTsa, command, write_settings

PKI = TestPki()
NOW = datetime.now(UTC)


def with_usages(usages: list[x509.ObjectIdentifier], *, critical: bool) -> Credential:
    """A certificate like the authority's, but with this extended key usage."""
    return PKI.build(
        "tsa",
        [
            (key_usage("digital_signature"), True),
            (x509.ExtendedKeyUsage(usages), critical),
            (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(service_uri(Kind.TSA, "QROO"))]), False),
        ],
        issuer=PKI.issuing,
    )


def refusal_of(settings: Path) -> str:
    result = subprocess.run(command(settings), capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 3, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        pytest.param(lambda: PKI.ocsp, "tsa-certificate-unsuitable", id="responder's certificate"),
        pytest.param(lambda: PKI.issuing, "tsa-certificate-unsuitable", id="certification authority"),
        pytest.param(
            lambda: with_usages([ExtendedKeyUsageOID.TIME_STAMPING], critical=False),
            "tsa-certificate-unsuitable",
            id="usage not critical",
        ),
        pytest.param(
            lambda: with_usages([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH], critical=True),
            "tsa-certificate-unsuitable",
            id="usage not alone",
        ),
        pytest.param(
            lambda: PKI.service(Kind.TSA, key=new_key("rsa-1024")), "tsa-certificate-unsuitable", id="weak key"
        ),
        pytest.param(
            lambda: Credential(PKI.tsa.certificate, new_key()), "tsa-key-mismatch", id="key of another certificate"
        ),
        pytest.param(
            lambda: PKI.service(Kind.TSA, not_after=NOW - timedelta(hours=1)),
            "tsa-certificate-not-valid-now",
            id="expired",
        ),
        pytest.param(
            lambda: PKI.service(Kind.TSA, not_before=NOW + timedelta(hours=1)),
            "tsa-certificate-not-valid-now",
            id="not valid yet",
        ),
    ],
)
def test_key_and_certificate_must_be_fit(tmp_path: Path, credential: Callable[[], Credential], reason: str) -> None:
    assert f"({reason})" in refusal_of(write_settings(tmp_path, credential()))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    settings = write_settings(tmp_path, PKI.tsa)
    (tmp_path / "tsa.key").chmod(mode)
    message = refusal_of(settings)
    assert "(key-file-permissions)" in message
    assert "chmod 600" in message


def test_a_certificate_file_without_certificates_is_refused(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, PKI.tsa)
    (tmp_path / "tsa.pem").write_text("nothing here")
    assert "(tsa-certificate-unreadable)" in refusal_of(settings)
    (tmp_path / "tsa.pem").unlink()
    assert "(tsa-certificate-unreadable)" in refusal_of(settings)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("enclose_chian = true", "signing.enclose_chian"),
        ('[tokens]\npolicy = "1.2.x"', "tokens.policy"),
        ("[tokens]\naccuracy_seconds = 0", "tokens.accuracy_seconds"),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path: Path, more: str, named: str) -> None:
    message = refusal_of(write_settings(tmp_path, PKI.tsa, more=more))
    assert "(settings-invalid)" in message
    assert named in message


def test_a_busy_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with RunningTsa(write_settings(tmp_path / "first", PKI.tsa)) as running:
        port = running.url.rstrip("/").rpartition(":")[2]
        message = refusal_of(write_settings(tmp_path, PKI.tsa, listen=f"port = {port}"))
    assert "(address-in-use)" in message
    assert port in message
    assert "listen.port" in message
