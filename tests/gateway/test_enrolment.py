"""Keys and signing requests are made here, and certificates are put in place only when they fit."""

import datetime as dt
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from estamp.anchor import TrustAnchor
from estamp.certificates import key_fingerprint
from estamp.identifiers import MemberId, ServerId
from gateway.enrolment import Installed, install_anchor, install_certificates, make_keys
from gateway.errors import EnrolmentError
from gateway.settings import GatewaySettings, load_gateway_settings
from gateway.settings_file import write_settings_file
from service_runtime.errors import KeyFileError
from service_runtime.keys import load_private_key
from tests.pki import Credential, TestPki

SERVER = ServerId.parse("QROO/MUN/BENITO-JUAREZ/gw1")
HOSTED = MemberId.parse("QROO/MUN/OTHER")
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    write_settings_file(tmp_path / "gateway.toml", str(SERVER), [str(SERVER.owner), str(HOSTED)])
    return load_gateway_settings(tmp_path / "gateway.toml")


def anchor_of(pki: TestPki) -> TrustAnchor:
    signer = key_fingerprint(pki.catalogue_signer.certificate)
    return TrustAnchor.of(pki.root.certificate, instance=pki.instance, signer_key=signer, registry_addresses=())


def issued(settings: GatewaySettings, pki: TestPki, member: MemberId | None = None, **dates: Any) -> Credential:
    if member is None:
        return pki.authentication_for(SERVER, key=load_private_key(settings.authentication_files.key), **dates)
    return pki.signing_for(member, SERVER, key=load_private_key(settings.signing_files[member].key), **dates)


def install(settings: GatewaySettings, pki: TestPki, *data: bytes) -> list[Installed]:
    paths = [settings.state_directory / f"given-{n}.pem" for n in range(len(data))]
    for path, each in zip(paths, data, strict=True):
        path.write_bytes(each)
    return install_certificates(settings, anchor_of(pki), paths, NOW)


def reason_of(settings: GatewaySettings, pki: TestPki, *data: bytes) -> str:
    with pytest.raises(EnrolmentError) as caught:
        install(settings, pki, *data)
    assert not settings.authentication_files.certificate.exists()
    return caught.value.reason


def test_keys_are_private_and_requests_prove_possession(settings: GatewaySettings) -> None:
    made = make_keys(settings)
    assert [str(each.holder.kind) for each in made] == ["authentication", "signing", "signing"]
    assert len({each.files.key for each in made}) == 3
    assert stat.S_IMODE(settings.state_directory.stat().st_mode) == 0o700
    for each in made:
        assert stat.S_IMODE(each.files.key.stat().st_mode) == 0o600
        request = x509.load_pem_x509_csr(each.request.read_bytes())
        assert request.is_signature_valid
        assert request.public_key() == load_private_key(each.files.key).public_key()
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [each.holder.uri]


def test_second_run_keeps_every_key(settings: GatewaySettings) -> None:
    before = {each.files.key: each.files.key.read_bytes() for each in make_keys(settings)}
    again = make_keys(settings)
    assert not any(each.made for each in again)
    assert {each.files.key: each.files.key.read_bytes() for each in again} == before


def test_keys_are_encrypted_when_a_passphrase_is_set(tmp_path: Path) -> None:
    (tmp_path / "passphrase").touch(mode=0o600)
    (tmp_path / "passphrase").write_text("correct horse\n")
    file = tmp_path / "gateway.toml"
    file.write_text(f'server = "{SERVER}"\n[authentication]\npassphrase_file = "passphrase"\n')
    settings = load_gateway_settings(file)
    make_keys(settings)
    load_private_key(settings.authentication_files.key, b"correct horse")
    with pytest.raises(KeyFileError):
        load_private_key(settings.authentication_files.key)


def test_settings_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("mine")
    with pytest.raises(EnrolmentError) as caught:
        write_settings_file(file, str(SERVER), [])
    assert (caught.value.reason, file.read_text()) == ("file-exists", "mine")


def test_issued_certificates_are_put_in_place_with_their_issuer(settings: GatewaySettings, pki: TestPki) -> None:
    make_keys(settings)
    installed = install(
        settings,
        pki,
        issued(settings, pki).pem,
        issued(settings, pki, HOSTED).chain_pem,  # the issuing CA's certificate stands in this file for both
        issued(settings, pki, SERVER.owner).der,
    )
    expected = [settings.authentication_files, settings.signing_files[HOSTED], settings.signing_files[SERVER.owner]]
    assert [each.path for each in installed] == [each.certificate for each in expected]
    for each in installed:
        chain = x509.load_pem_x509_certificates(each.path.read_bytes())
        assert chain[1:] == [pki.issuing.certificate]
        assert chain[0].public_key() == load_private_key(each.path.with_suffix(".key")).public_key()


def test_certificate_that_does_not_fit_is_refused(settings: GatewaySettings, pki: TestPki) -> None:
    make_keys(settings)
    key = load_private_key(settings.authentication_files.key)
    good = issued(settings, pki)
    unusable = {
        "another server": pki.authentication_for(ServerId.parse("QROO/MUN/BENITO-JUAREZ/gw2"), key=key).chain_pem,
        "a member without a key here": pki.signing_for(MemberId.parse("QROO/MUN/THIRD"), SERVER, key=key).chain_pem,
        "another kind": pki.registry.chain_pem,
        "another root": TestPki().authentication_for(SERVER, key=key).chain_pem,
        "expired": issued(settings, pki, not_after=NOW - dt.timedelta(seconds=5)).chain_pem,
        "not yet valid": issued(settings, pki, not_before=NOW + dt.timedelta(hours=1)).chain_pem,
        "no issuing CA": good.pem,
        "authorities alone": pki.issuing.pem,
        "no certificate": b"-----BEGIN nothing",
    }
    for what, data in unusable.items():
        assert (what, reason_of(settings, pki, data)) == (what, "certificate-unusable")
    assert reason_of(settings, pki, pki.authentication_for(SERVER).chain_pem) == "certificate-without-key"
    # One that does not fit keeps those beside it from being installed.
    assert reason_of(settings, pki, good.chain_pem, pki.registry.pem) == "certificate-unusable"


def test_anchor_is_installed_once_and_of_the_right_instance(
    settings: GatewaySettings, pki: TestPki, tmp_path: Path
) -> None:
    file = tmp_path / "given.json"
    file.write_bytes(anchor_of(pki).dump())
    assert install_anchor(settings, file) == anchor_of(pki)
    assert TrustAnchor.load(settings.anchor_path.read_bytes()) == anchor_of(pki)
    install_anchor(settings, file)
    for other in (TestPki(), TestPki("YUC")):
        file.write_bytes(anchor_of(other).dump())
        with pytest.raises(EnrolmentError) as caught:
            install_anchor(settings, file)
        assert caught.value.reason == "anchor-differs"
    assert TrustAnchor.load(settings.anchor_path.read_bytes()) == anchor_of(pki)
