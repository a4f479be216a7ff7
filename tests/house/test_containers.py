"""The image and docker-compose.yml name what is in the tree; other tests start the commands that stand there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def services(project_root: Path) -> dict[str, dict[str, Any]]:
    composed = yaml.safe_load((project_root / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(composed["services"])


def test_every_settings_file_of_a_command_is_in_config(project_root: Path, services: dict[str, dict[str, Any]]) -> None:
    named = [
        service["command"][service["command"].index("--config") + 1]
        for service in services.values()
        if "--config" in service["command"]
    ]
    assert len(named) == 5
    assert [name for name in named if not (project_root / name).is_file()] == []


def test_no_service_runs_as_root_or_publishes_management(services: dict[str, dict[str, Any]]) -> None:
    published = {port for service in services.values() for port in service.get("ports", ())}
    assert published == {"8443:8443"}
    for service in services.values():
        assert service["user"].startswith("${XACBE_UID:-1000}")
        assert service["cap_drop"] == ["ALL"]


def test_no_service_sees_the_keys_of_another(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in {"./config", f"./certs/{name}", f"./var/{name}"}


def test_management_listens_on_the_management_network_alone(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if "--config" in service["command"]:
            hosts = [value for key, value in service["environment"].items() if key.endswith("__MANAGEMENT__HOST")]
            assert hosts == [service["networks"]["management"]["ipv4_address"]], name


def test_the_image_is_built_from_the_packages_and_no_keys(project_root: Path) -> None:
    ignored = (project_root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    packages = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    assert "*" in ignored
    assert let_in == {package.split(".")[0] for package in packages} | {
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "requirements",
    }
