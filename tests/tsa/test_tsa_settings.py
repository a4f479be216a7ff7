"""The example settings file says what the settings really are."""

import re
import tomllib
from pathlib import Path

from tsa.settings import ENVIRONMENT_PREFIX, TsaSettings, load_tsa_settings


def test_the_example_is_accepted_as_it_is(project_root: Path) -> None:
    settings = load_tsa_settings(project_root / "config" / "tsa.toml")
    assert settings.listen.port == 8899
    assert settings.management.port == 5590
    assert settings.signing.key == project_root / "config" / "../certs/tsa/key.pem"


def test_the_example_shows_every_setting_with_its_true_default(project_root: Path) -> None:
    text = (project_root / "config" / "tsa.toml").read_text()
    shown = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    defaults = TsaSettings.model_validate({"signing": {"certificate": "x", "key": "x"}})
    for section, field in TsaSettings.model_fields.items():
        if section in ("signing", "drain_seconds", "log_level"):
            continue
        assert shown[section] == getattr(defaults, section).model_dump(mode="json"), field
    assert shown["drain_seconds"] == defaults.drain_seconds
    assert shown["log_level"] == defaults.log_level
    assert set(shown["signing"]) == set(type(defaults.signing).model_fields)
    assert shown["signing"]["enclose_chain"] is defaults.signing.enclose_chain


def test_the_example_names_the_variables_that_override_it(project_root: Path) -> None:
    assert f"{ENVIRONMENT_PREFIX}__LISTEN__PORT" in (project_root / "config" / "tsa.toml").read_text()
