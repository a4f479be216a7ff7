"""The file that `xacbe gateway apply` reads: what it accepts, what it names when it refuses, and the command itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from estamp.certificates import fingerprint
from estamp.identifiers import ServerId
from gateway.configuration import RESERVED_SERVICE_CODES, Configuration
from gateway.configuration_file import read_configuration_file, write_configuration_file
from gateway.errors import ConfigurationError
from gateway.settings import load_gateway_settings
from service_runtime.errors import SettingsError
from tests.pki import TestPki

SERVER = ServerId.parse("QROO/EST/SSP/gw1")
SERVICE = """\
[[services]]
subsystem = "QROO/EST/SSP/vehiculos"
code = "placas"
base_url = "http://127.0.0.1:9000/"
"""


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def read(folder: Path, text: str) -> Configuration:
    file = folder / "services.toml"
    file.write_text(text, encoding="utf-8")
    return read_configuration_file(file, SERVER)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text)
    assert caught.value.reason == "configuration-malformed"
    return caught.value.message


def test_example_is_accepted(project_root: Path) -> None:
    configuration = read_configuration_file(project_root / "config" / "gateway-services.toml", SERVER)
    assert [str(each) for each in configuration.services] == ["QROO/EST/SSP/vehiculos/placas"]


def test_example_settings_are_accepted_and_hold_the_defaults(project_root: Path, tmp_path: Path) -> None:
    text = (project_root / "config" / "gateway.toml").read_text(encoding="utf-8")
    # Both in one folder, because paths are relative to it.
    as_it_is, uncommented = tmp_path / "example.toml", tmp_path / "gateway.toml"
    as_it_is.write_text(text, encoding="utf-8")
    example = load_gateway_settings(as_it_is)
    shown = "\n".join(
        line.removeprefix("# ").replace("<state_directory>", str(example.state_directory))
        if line.startswith("# ")
        and " = " in line
        and not any(word in line for word in ("passphrase", "certificate", "key"))
        and "member = " not in line
        else line
        for line in text.splitlines()
    )
    uncommented.write_text(shown, encoding="utf-8")
    with_defaults = load_gateway_settings(uncommented)
    assert with_defaults.anchor_path == example.anchor_path
    assert with_defaults.database_url == example.database_url
    ignored = {"anchor", "database"}
    assert with_defaults.model_dump(exclude=ignored) == example.model_dump(exclude=ignored)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "gateway.example", "::"])
def test_plain_http_never_leaves_the_machine(tmp_path: Path, host: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'server = "QROO/EST/SSP/gw1"\n[listeners.information_systems_http]\nhost = "{host}"\n')
    with pytest.raises(SettingsError) as caught:
        load_gateway_settings(file)
    assert "listeners.information_systems_http.host" in caught.value.message
    assert "information_systems_https" in caught.value.message


def test_two_members_never_share_a_key_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    members = ["QROO/A_B/C", "QROO/A/B_C", "QROO/A%2FB/C", "QROO/A/B%2FC"]
    file.write_text('server = "QROO/A/C/gw1"\n' + "".join(f'[[signing]]\nmember = "{each}"\n' for each in members))
    files = load_gateway_settings(file).signing_files
    assert len({each.key for each in files.values()}) == 4
    assert {each.key.parent for each in files.values()} == {tmp_path / "state"}


def test_export_reads_back_as_the_same_configuration(tmp_path: Path, pki: TestPki) -> None:
    (tmp_path / "system.pem").write_bytes(pki.registry.pem)
    wanted = read(
        tmp_path,
        SERVICE
        + 'title = "Placas \\"MX\\" — ñ"\ntimeout_seconds = 2.5\n'
        + 'allowed = ["QROO/MUN/BENITO-JUAREZ/patrullas", "QROO/MUN/B%2FX/y"]\n'
        + '[[information_systems]]\ntitle = "Dispatch"\ncertificate = "system.pem"\nclients = ["QROO/EST/SSP/*"]\n',
    )
    assert list(wanted.information_systems) == [fingerprint(pki.registry.certificate)]
    assert read(tmp_path, write_configuration_file(wanted)) == wanted


@pytest.mark.parametrize("code", [*sorted(RESERVED_SERVICE_CODES), "LISTMETHODS", "getopenapi"])
def test_reserved_service_codes_are_refused(tmp_path: Path, code: str) -> None:
    message = refusal(tmp_path, SERVICE.replace("placas", code))
    assert "services[0].code" in message
    assert "metaservice" in message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SERVICE.replace("vehiculos", "../x"), "services[0].subsystem"),
        (SERVICE.replace("/vehiculos", ""), "services[0].subsystem"),
        (SERVICE.replace("QROO/", "YUC/"), "services[0].subsystem"),
        (SERVICE.replace("placas", "pla/cas"), "services[0].code"),
        (SERVICE.replace("placas", ".."), "services[0].code"),
        (SERVICE.replace("9000/", "9000/a/../b"), "services[0].base_url"),
        (SERVICE.replace("http:", "ftp:"), "services[0].base_url"),
        (SERVICE + "timeout_seconds = 0", "services[0].timeout_seconds"),
        (SERVICE + "timeout_seconds = inf", "services[0].timeout_seconds"),
        (SERVICE + 'timeout_seconds = "30"', "services[0].timeout_seconds"),
        (SERVICE + 'title = "two\\nlines"', "services[0].title"),
        (SERVICE + 'type = "SOAP"', "services[0].type"),
        (SERVICE + 'allowed = ["QROO/MUN/BENITO-JUAREZ"]', "services[0].allowed[0]"),
        (SERVICE + 'allowed = ["QROO/MUN/B/x", "QROO/MUN/B/x"]', "services[0].allowed"),
        (SERVICE + 'alowed = ["QROO/MUN/B/x"]', "services[0].alowed: unknown key"),
        (SERVICE + SERVICE, "services[1]"),
        (SERVICE.replace("code", "kode"), "services[0].code: missing"),
        ("service = []", "service: unknown key"),
        ('[[information_systems]]\ntitle = "x"\ncertificate = "none.pem"\nclients = ["Q/W/E/*"]', "none.pem"),
        ('[[information_systems]]\ntitle = "x"\ncertificate = "services.toml"\nclients = ["Q/W/E/*"]', "certificate"),
        ("not toml", "not TOML"),
    ],
)
def test_refusal_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    assert key in refusal(tmp_path, text)


@pytest.mark.parametrize("clients", ["[]", '["QROO/*"]', '["*"]', '["QROO/EST/*/x/*"]', '["QROO/EST/SSP/x/*"]'])
def test_client_patterns_are_strict(tmp_path: Path, pki: TestPki, clients: str) -> None:
    (tmp_path / "system.pem").write_bytes(pki.registry.pem)
    text = f'[[information_systems]]\ntitle = "x"\ncertificate = "system.pem"\nclients = {clients}'
    assert "information_systems[0].clients" in refusal(tmp_path, text)


def test_one_certificate_is_one_information_system(tmp_path: Path, pki: TestPki) -> None:
    (tmp_path / "system.pem").write_bytes(pki.registry.pem)
    table = '[[information_systems]]\ntitle = "x"\ncertificate = "system.pem"\nclients = ["QROO/EST/SSP/*"]\n'
    assert "information_systems[1].certificate" in refusal(tmp_path, table + table)


def test_command_shows_changes_applies_once_and_exports(tmp_path: Path, project_root: Path) -> None:
    def xacbe(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "xacbe", "gateway", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(project_root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    config = ("--config", "gateway.toml")
    assert xacbe("init", *config, "--write-config", "--server", str(SERVER)).returncode == 0
    (tmp_path / "services.toml").write_text(SERVICE + 'allowed = ["QROO/MUN/B/x"]\n')
    dry = xacbe("apply", *config, "services.toml", "--dry-run")
    assert "+ service QROO/EST/SSP/vehiculos/placas" in dry.stderr
    assert xacbe("export", *config).stdout == ""
    applied = json.loads(xacbe("apply", *config, "services.toml", "--json").stdout)
    assert (applied["applied"], applied["revision"], len(applied["changes"])) == (True, 1, 1)
    again = json.loads(xacbe("apply", *config, "services.toml", "--json").stdout)
    assert (again["applied"], again["revision"], again["changes"]) == (False, 1, [])
    exported = xacbe("export", *config).stdout
    (tmp_path / "exported.toml").write_text(exported)
    assert json.loads(xacbe("apply", *config, "exported.toml", "--json").stdout)["changes"] == []
    (tmp_path / "services.toml").write_text("")
    assert "- service QROO/EST/SSP/vehiculos/placas" in xacbe("apply", *config, "services.toml").stderr
    (tmp_path / "services.toml").write_text(SERVICE.replace("placas", "listMethods"))
    refused = xacbe("apply", *config, "services.toml")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "services[0].code" in refused.stderr
