"""What `xacbe registry init` leaves behind, and what it refuses to touch."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from central_registry.administration import open_administration
from central_registry.certification import make_order
from central_registry.errors import StateError
from central_registry.initialisation import initialise
from central_registry.settings import load
from central_registry.state_folder import ENTRIES, StateFolder, load_anchor, read_certificate
from estamp.anchor import TrustAnchor
from estamp.certificates import Kind, key_fingerprint, kind_of
from service_runtime.errors import KeyFileError, SettingsError
from tests.central_registry.a_registry import SERVER, ARegistry, apply, make_registry, signing_request, write_settings
from tests.requirements_of_tests import require_tool


def test_keys_are_readable_by_their_owner_alone(registry: ARegistry) -> None:
    keys = sorted(registry.state.folder.rglob("*key.pem"))
    assert len(keys) == 7
    for file in (*keys, registry.state.folder / "registry.sqlite"):
        assert file.stat().st_mode & 0o777 == 0o600, file
    for folder in (each for each in registry.state.folder.rglob("*") if each.is_dir()):
        assert folder.stat().st_mode & 0o077 == 0, folder
    assert not [each for each in registry.state.folder.iterdir() if each.name not in ENTRIES]


def test_each_key_belongs_to_its_certificate(registry: ARegistry) -> None:
    for key_file in registry.state.folder.rglob("*key.pem"):
        name = key_file.name.removesuffix("-key.pem") if key_file.name != "key.pem" else "certificate"
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert key.public_key() == read_certificate(key_file.with_name(f"{name}.pem")).public_key(), key_file


def test_the_anchor_names_root_and_catalogue_signer(registry: ARegistry) -> None:
    anchor = TrustAnchor.load(registry.state.anchor.read_bytes())
    assert anchor.root == read_certificate(registry.state.root / "certificate.pem")
    signer = read_certificate(registry.state.catalogue_signer / "certificate.pem")
    assert anchor.catalogue_signer_key == key_fingerprint(signer)
    assert anchor.registry_addresses == ("https://127.0.0.1:4001",)
    assert anchor.fingerprint == registry.anchor.fingerprint
    assert kind_of(signer) is Kind.CATALOGUE_SIGNER


def test_openssl_accepts_every_chain(registry: ARegistry) -> None:
    openssl = require_tool("openssl")
    folder = registry.state.folder
    files = [
        "tls/certificate.pem",
        "trust-services/tsa/certificate.pem",
        "trust-services/ocsp/certificate.pem",
        "trust-services/ocsp/root-responder.pem",
        "catalogue-signer/certificate.pem",
        "issuing-ca/certificate.pem",
    ]
    command = [str(openssl), "verify", "-x509_strict", "-CAfile", "root/certificate.pem"]
    command += ["-untrusted", "issuing-ca/certificate.pem", *files]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(": OK") == len(files)


def test_nothing_is_overwritten(registry: ARegistry) -> None:
    before = {file: file.read_bytes() for file in registry.state.folder.rglob("*") if file.is_file()}
    with pytest.raises(StateError) as caught:
        initialise(registry.settings, datetime.now(UTC), root_passphrase=None)
    assert caught.value.reason == "registry-exists"
    assert {file: file.read_bytes() for file in registry.state.folder.rglob("*") if file.is_file()} == before


def test_a_database_of_another_registry_is_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    shared = f'database_url = "sqlite:///{tmp_path}/shared.sqlite"\n'
    make_registry(first, write_settings(first, top=shared))
    with pytest.raises(StateError) as caught:
        make_registry(second, write_settings(second, top=shared))
    assert caught.value.reason == "registry-exists"
    assert list((second / "state").iterdir()) == []


def test_keys_are_encrypted_when_passphrases_are_given(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("of the registry\n")
    passphrase.chmod(0o600)
    config = write_settings(tmp_path, top='key_passphrase_file = "passphrase"\n')
    settings = load(config)
    initialise(settings, datetime.now(UTC), root_passphrase=b"of the root")
    state = StateFolder(settings.state)
    for folder, right in (
        (state.root, b"of the root"),
        (state.issuing_ca, b"of the registry"),
        (state.catalogue_signer, b"of the registry"),
        (state.tls, b"of the registry"),
    ):
        data = (folder / "key.pem").read_bytes()
        assert b"ENCRYPTED" in data
        load_pem_private_key(data, right)
    with open_administration(settings) as administration:
        apply(administration, tmp_path)
        order = make_order(Kind.AUTHENTICATION, SERVER, None)
        administration.issue(signing_request(), order)
        passphrase.write_text("another\n")
        with pytest.raises(KeyFileError):
            administration.issue(signing_request(), order)


def test_the_tsa_can_have_an_rsa_key(tmp_path: Path) -> None:
    made = make_registry(tmp_path, write_settings(tmp_path, more='[keys]\ntimestamp_authority = "rsa-3072"\n'))
    key = load_pem_private_key((made.state.trust_services / "tsa" / "key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072


def test_the_roots_folder_is_needed_no_more(registry: ARegistry, tmp_path: Path) -> None:
    registry.state.root.rename(tmp_path / "in the safe")
    with open_administration(registry.settings) as administration:
        apply(administration, tmp_path)
        administration.issue(signing_request(), make_order(Kind.AUTHENTICATION, SERVER, None))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder belongs")
    with pytest.raises(StateError) as caught:
        make_registry(tmp_path)
    assert caught.value.reason == "state-folder-unusable"
    assert str(tmp_path / "state") in caught.value.message


def test_a_registry_that_is_not_there_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught:
        load_anchor(load(write_settings(tmp_path)))
    assert caught.value.reason == "registry-not-initialised"
    assert "xacbe registry init" in caught.value.advice


def test_settings_of_another_instance_are_refused(registry: ARegistry) -> None:
    registry.config.write_text(registry.config.read_text().replace('"QROO"', '"OTHER"'))
    with pytest.raises(StateError) as caught:
        load_anchor(load(registry.config))
    assert caught.value.reason == "instance-differs"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('instance = "QROO"', 'instance = "Q_O"', "instance"),
        ("https://127.0.0.1:4001", "http://127.0.0.1:4001", "addresses.registry.0"),
        ('operator = "', 'operador = "', "operador"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    config = write_settings(tmp_path)
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(SettingsError) as caught:
        load(config)
    assert f"{key}: " in caught.value.message


def test_the_example_settings_are_complete(project_root: Path) -> None:
    settings = load(project_root / "config" / "registry.toml")
    assert (settings.listen.port, settings.management.port) == (4001, 5589)
    assert settings.catalogue.lifetime_seconds == 8 * 3600
