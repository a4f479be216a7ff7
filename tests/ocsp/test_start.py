"""What keeps the responder from starting, each told before anything listens."""

import datetime as dt
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from estamp.certificates import Kind, service_uri
from ocsp.settings import ENVIRONMENT_PREFIX, OcspSettings
from service_runtime.settings import load_settings
from tests.ocsp.responder_process import PROJECT, ResponderProcess, write_settings
from tests.pki import TestPki, key_usage

NOWHERE = "https://127.0.0.1:1"


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def without_nocheck(pki: TestPki, folder: Path) -> None:
    uri = x509.UniformResourceIdentifier(service_uri(Kind.OCSP, pki.instance))
    credential = pki.build(
        "responder",
        [
            (key_usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.SubjectAlternativeName([uri]), False),
        ],
        issuer=pki.issuing,
        key=pki.ocsp.key,
    )
    (folder / "ocsp.pem").write_bytes(credential.pem)


def of_another_kind(pki: TestPki, folder: Path) -> None:
    (folder / "ocsp.pem").write_bytes(pki.tsa.pem)
    (folder / "ocsp.key").write_bytes(pki.tsa.key_pem)


def by_another_authority(pki: TestPki, folder: Path) -> None:
    (folder / "ocsp.pem").write_bytes(pki.root_ocsp.pem)
    (folder / "ocsp.key").write_bytes(pki.root_ocsp.key_pem)


def expired(pki: TestPki, folder: Path) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    (folder / "ocsp.pem").write_bytes(pki.service(Kind.OCSP, key=pki.ocsp.key, not_after=past).pem)


def another_key(pki: TestPki, folder: Path) -> None:
    (folder / "ocsp.key").write_bytes(pki.tsa.key_pem)


def open_to_others(pki: TestPki, folder: Path) -> None:
    (folder / "ocsp.key").chmod(0o640)


def missing_certificate(pki: TestPki, folder: Path) -> None:
    (folder / "issuing-ca.pem").unlink()


def two_certificates(pki: TestPki, folder: Path) -> None:
    (folder / "ocsp.pem").write_bytes(pki.ocsp.chain_pem)


def of_another_instance(pki: TestPki, folder: Path) -> None:
    uri = x509.UniformResourceIdentifier(service_uri(Kind.OCSP, "YUC"))
    (folder / "ocsp.pem").write_bytes(pki.issue(Kind.OCSP, [uri], "responder", key=pki.ocsp.key).pem)


def damaged_feed(pki: TestPki, folder: Path) -> None:
    (folder / "status-feed.json").write_bytes(b'{"payload": "')


def missing_anchor(pki: TestPki, folder: Path) -> None:
    (folder / "anchor.json").unlink()


def misspelt_key(pki: TestPki, folder: Path) -> None:
    settings = folder / "ocsp.toml"
    settings.write_text(settings.read_text().replace("[feed]", "[feed]\npol_seconds = 1"))


@pytest.mark.parametrize(
    ("spoil", "reason", "named"),
    [
        (without_nocheck, "ocsp-certificate-wrong-kind", "nocheck"),
        (of_another_kind, "ocsp-certificate-wrong-kind", "tsa"),
        (by_another_authority, "ocsp-certificate-not-delegated", "issuing-ca.pem"),
        (expired, "ocsp-certificate-not-valid", "ocsp.pem"),
        (another_key, "ocsp-key-mismatch", "ocsp.key"),
        (open_to_others, "key-file-permissions", "chmod 600"),
        (missing_certificate, "ocsp-certificate-unreadable", "issuing-ca.pem"),
        (two_certificates, "ocsp-certificate-unreadable", "2 certificates"),
        (of_another_instance, "ocsp-other-instance", "YUC"),
        (damaged_feed, "ocsp-feed-file-unusable", "status-feed.json"),
        (missing_anchor, "ocsp-anchor-unusable", "anchor.json"),
        (misspelt_key, "settings-invalid", "feed.pol_seconds"),
    ],
)
def test_a_responder_that_could_not_be_believed_does_not_start(
    pki: TestPki, tmp_path: Path, spoil: Callable[[TestPki, Path], None], reason: str, named: str
) -> None:
    settings = write_settings(tmp_path, pki, NOWHERE)
    spoil(pki, tmp_path)
    process = ResponderProcess(settings)
    assert process.wait() == 3
    said = " ".join("".join(process.output).split())
    assert reason in said
    assert named in said
    assert "Traceback" not in said
    assert not process.logged("serving")


def test_a_busy_port_is_named_with_the_setting_that_moves_it(pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, NOWHERE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = ResponderProcess(settings, XACBE_OCSP__LISTEN__PORT=str(taken.getsockname()[1]))
        assert process.wait() == 3
    assert "listen.port" in "".join(process.output)


def test_an_encrypted_key_is_opened_with_its_passphrase(pki: TestPki, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, pki, NOWHERE)
    encrypted = pki.ocsp.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"abre"))
    (tmp_path / "ocsp.key").write_bytes(encrypted)
    line = 'key = "ocsp.key"\n'
    settings.write_text(settings.read_text().replace(line, line + 'passphrase_variable = "OCSP_TEST_PASSPHRASE"\n'))
    with ResponderProcess(settings, OCSP_TEST_PASSPHRASE="abre") as process:
        assert process.stop() == 0
    process = ResponderProcess(settings, OCSP_TEST_PASSPHRASE="cierra")
    assert process.wait() == 3
    assert "key-file-passphrase" in "".join(process.output)
    assert "cierra" not in "".join(process.output)


def test_the_example_settings_are_valid_and_every_key_is_shown() -> None:
    file = PROJECT / "config" / "ocsp.toml"
    settings = load_settings(OcspSettings, file, prefix=ENVIRONMENT_PREFIX, environ={})
    assert (settings.listen.port, settings.management.port) == (8888, 5591)
    text = file.read_text()
    for model in (OcspSettings, type(settings.feed), type(settings.listen), type(settings.issuers[0])):
        for name in model.model_fields:
            assert name in text
