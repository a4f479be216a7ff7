"""Settings: files, environment, and refusals that name the key, the place and the problem."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from service_runtime.errors import SettingsError
from service_runtime.settings import DatabaseUrl, Settings, SettingsPath, load_settings

PREFIX = "XACBE_SAMPLE"


class Peers(Settings):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5500
    timeout_seconds: float = 30.0


class Service(Settings):
    code: str
    url: str


class Keys(Settings):
    signing: SettingsPath | None = None
    passphrase: SecretStr | None = None


class Sample(Settings):
    name: str
    peers: Peers = Peers()
    keys: Keys = Keys()
    addresses: tuple[str, ...] = ()
    trusted: tuple[SettingsPath, ...] = ()
    services: list[Service] = Field(default_factory=list)
    levels: dict[str, str] = Field(default_factory=dict)
    database: DatabaseUrl = "sqlite:///sample.db"


def write(folder: Path, text: str) -> Path:
    path = folder / "sample.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path | None, environ: dict[str, str] | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(Sample, path, prefix=PREFIX, environ=environ or {})
    return caught.value


def test_a_file_with_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\n[peers]\nport = 6500\n[[services]]\ncode = "placas"\nurl = "http://x"\n')
    settings = load_settings(Sample, path, prefix=PREFIX, environ={})
    assert settings.peers == Peers(port=6500)
    assert settings.services == [Service(code="placas", url="http://x")]


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder, 'name = "a"\ntrusted = ["ca.pem", "/absolute.pem"]\n[keys]\nsigning = "keys/signing.key"\n')
    monkeypatch.chdir(tmp_path)
    environ = {f"{PREFIX}__TRUSTED": '["../one.pem"]'}
    relative = Path("etc/sample.toml")
    settings = load_settings(Sample, relative, prefix=PREFIX, environ={})
    assert settings.keys.signing == folder / "keys/signing.key"
    assert settings.trusted == (folder / "ca.pem", Path("/absolute.pem"))
    assert settings.database == f"sqlite:///{folder}/sample.db"
    assert load_settings(Sample, relative, prefix=PREFIX, environ=environ).trusted == (folder / "../one.pem",)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_other_database_urls_stay_as_they_are(tmp_path: Path, given: str, kept: str) -> None:
    settings = load_settings(Sample, write(tmp_path, f'name = "a"\ndatabase = "{given}"'), prefix=PREFIX, environ={})
    assert settings.database == kept


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\naddresses = ["x"]\n[peers]\nport = 6500\nhost = "::1"\n')
    environ = {
        f"{PREFIX}__PEERS__PORT": "7500",
        f"{PREFIX}__NAME": "[not json]",
        f"{PREFIX}__ADDRESSES": '["y", "z"]',
        f"{PREFIX}__LEVELS__WIRE": "debug",
        f"{PREFIX}__SERVICES": '[{"code": "placas", "url": "http://x"}]',
        "XACBE_SAMPLER__NAME": "of another process",
    }
    settings = load_settings(Sample, path, prefix=PREFIX, environ=environ)
    assert settings.peers == Peers(host="::1", port=7500)
    assert settings.name == "[not json]"
    assert settings.addresses == ("y", "z")
    assert settings.levels == {"wire": "debug"}
    assert settings.services[0].code == "placas"


def test_the_environment_alone_is_enough() -> None:
    assert load_settings(Sample, None, prefix=PREFIX, environ={f"{PREFIX}__NAME": "a"}).name == "a"


def test_unknown_keys_of_the_file_are_named(tmp_path: Path) -> None:
    error = refused(write(tmp_path, 'name = "a"\nnmae = "b"\n[peers]\nprot = 1\n[[services]]\ncode="a"\nuri="b"\n'))
    assert error.reason == "settings-invalid"
    assert "nmae: unknown key (did you mean name?)" in error.message
    assert "peers.prot: unknown key (did you mean port?)" in error.message
    assert "services.0.uri: unknown key (did you mean url?)" in error.message
    assert "services.0.url: missing" in error.message
    assert str(tmp_path / "sample.toml") in error.message


def test_unknown_variables_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"')
    environ = {f"{PREFIX}__PEERS__PROT": "1", f"{PREFIX}__PEERS__PORT__DEEP": "1", f"{PREFIX}__": "1"}
    error = refused(path, environ)
    assert f"variable {PREFIX}__PEERS__PROT: there is no setting peers.prot (did you mean port?)" in error.message
    assert f"{PREFIX}__PEERS__PORT__DEEP" in error.message
    assert f"variable {PREFIX}__:" in error.message


def test_bad_values_are_described_and_never_shown(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\n[peers]\nport = 99999\ntimeout_seconds = inf\n[keys]\npassphrase = 77123\n')
    error = refused(path, {f"{PREFIX}__PEERS__HOST": "h", f"{PREFIX}__ADDRESSES": '{"a": "hunter2"}'})
    assert f"{path}: peers.port: Input should be less than or equal to 65535" in error.message
    assert "peers.timeout_seconds" in error.message
    assert f"variable {PREFIX}__ADDRESSES: addresses: Input should be a valid tuple" in error.message
    assert "keys.passphrase" in error.message
    assert "hunter2" not in str(error)
    assert "77123" not in str(error)


def test_a_list_in_the_environment_must_be_json(tmp_path: Path) -> None:
    error = refused(write(tmp_path, 'name = "a"'), {f"{PREFIX}__ADDRESSES": "y,z"})
    assert f"variable {PREFIX}__ADDRESSES: a list or table must be given as JSON" in error.message


def test_a_scalar_in_the_place_of_a_table(tmp_path: Path) -> None:
    assert "peers" in refused(write(tmp_path, 'name = "a"\npeers = 3')).message
    overriding = refused(write(tmp_path, 'name = "a"\npeers = 3'), {f"{PREFIX}__PEERS__PORT": "1"})
    assert "peers is not a table" in overriding.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = refused(tmp_path / "absent.toml")
    assert (missing.reason, str(tmp_path / "absent.toml") in missing.message) == ("settings-file-missing", True)
    malformed = refused(write(tmp_path, "name = \n"))
    assert malformed.reason == "settings-file-malformed"
    assert "line 1" in malformed.message
    (tmp_path / "latin.toml").write_bytes(b'name = "\xf1"')
    assert refused(tmp_path / "latin.toml").reason == "settings-file-malformed"
    assert refused(tmp_path).reason == "settings-file-unreadable"


def test_settings_cannot_change(tmp_path: Path) -> None:
    settings = load_settings(Sample, write(tmp_path, 'name = "a"'), prefix=PREFIX, environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.name = "b"  # type: ignore[misc]
