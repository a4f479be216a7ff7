"""The image, docker-compose.yml and config/ agree; tests/containers starts the commands that stand there."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel

from central_registry.settings import PREFIX as REGISTRY_PREFIX
from central_registry.settings import RegistrySettings
from gateway.settings import ENVIRONMENT_PREFIX as GATEWAY_PREFIX
from gateway.settings import GatewaySettings
from ocsp.settings import ENVIRONMENT_PREFIX as OCSP_PREFIX
from ocsp.settings import OcspSettings
from service_runtime.settings import load_settings
from tsa.settings import ENVIRONMENT_PREFIX as TSA_PREFIX
from tsa.settings import TsaSettings

MODELS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "registry": (RegistrySettings, REGISTRY_PREFIX),
    "tsa": (TsaSettings, TSA_PREFIX),
    "ocsp": (OcspSettings, OCSP_PREFIX),
    "gateway": (GatewaySettings, GATEWAY_PREFIX),
}
"""The settings of `xacbe NOUN serve`, and how the variables that override them begin."""

PROCESSES: Final = ("registry", "tsa", "ocsp", "gateway", "gateway-provider")
IN_THE_CONTAINER: Final = "/srv/xacbe"


@pytest.fixture(scope="module")
def services(project_root: Path) -> dict[str, dict[str, Any]]:
    composed = yaml.safe_load((project_root / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(composed["services"])


def settings_of(project_root: Path, service: dict[str, Any]) -> Any:
    """What a service's process is told by its file and its variables; raises for a variable that means nothing."""
    command, environment = service["command"], service["environment"]
    model, prefix = MODELS[command[1]]
    assert [name for name in environment if not name.startswith(f"{prefix}__")] == []
    return load_settings(
        model, project_root / command[command.index("--config") + 1], prefix=prefix, environ=environment
    )


def paths_in(value: object) -> Iterator[Path]:
    """Every path of a settings model, the file in an SQLite address included."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str) and value.startswith("sqlite:///"):
        yield Path(value.removeprefix("sqlite:///"))
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from paths_in(getattr(value, name))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from paths_in(each)


def test_every_process_serves_with_a_settings_file_of_config(services: dict[str, dict[str, Any]]) -> None:
    for name in PROCESSES:
        noun = name.removesuffix("-provider")
        assert services[name]["command"] == ["xacbe", noun, "serve", "--config", f"config/{name}.toml"]
    assert set(services) == {*PROCESSES, "vehicles"}


@pytest.mark.parametrize("name", PROCESSES)
def test_every_path_in_the_settings_is_mounted(
    project_root: Path, services: dict[str, dict[str, Any]], name: str
) -> None:
    mounted = [project_root / volume.split(":")[0] for volume in services[name]["volumes"]]
    # A path with .. in it is meant as the process reads it, whose folders are no links.
    named = [(project_root / path).resolve() for path in paths_in(settings_of(project_root, services[name]))]
    assert named
    assert [path for path in named if not any(path.is_relative_to(folder) for folder in mounted)] == []


def test_a_service_sees_its_own_folders_alone_and_where_a_clone_has_them(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            assert source in {"./config", f"./certs/{name}", f"./var/{name}"}
            assert target == f"{IN_THE_CONTAINER}/{source.removeprefix('./')}"
            assert mode == ["ro"] or source != "./config"


def test_no_service_runs_as_root_or_publishes_more_than_information_systems(
    services: dict[str, dict[str, Any]],
) -> None:
    published = [(name, port) for name, service in services.items() for port in service.get("ports", ())]
    assert published == [("gateway", "8443:8443")]
    for service in services.values():
        assert service["user"].startswith("${XACBE_UID:-1000}")
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True


@pytest.mark.parametrize("name", PROCESSES)
def test_management_listens_on_the_management_network_alone(
    project_root: Path, services: dict[str, dict[str, Any]], name: str
) -> None:
    settings = settings_of(project_root, services[name])
    management = settings.listeners.management if hasattr(settings, "listeners") else settings.management
    assert management.host == services[name]["networks"]["management"]["ipv4_address"]


@pytest.mark.parametrize("name", ["gateway", "gateway-provider"])
def test_no_gateway_listens_for_plain_http(project_root: Path, services: dict[str, dict[str, Any]], name: str) -> None:
    listeners = settings_of(project_root, services[name]).listeners
    assert not listeners.information_systems_http.enabled
    assert listeners.information_systems_https.enabled == (name == "gateway")


def test_others_find_each_process_by_the_name_in_the_settings(
    project_root: Path, services: dict[str, dict[str, Any]]
) -> None:
    addresses = settings_of(project_root, services["registry"]).addresses
    named = [*addresses.registry, *addresses.timestamp_authorities, *addresses.status_responders]
    aliases = [services[name]["networks"]["exchange"]["aliases"][0] for name in ("registry", "tsa", "ocsp")]
    assert [address.split("/")[2].split(":")[0] for address in named] == aliases
    # One label alone is no DNS name to pkilint, and the registry's stands in a certificate.
    assert all("." in alias for alias in aliases)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_may_drain_before_it_is_killed(
    project_root: Path, services: dict[str, dict[str, Any]], name: str
) -> None:
    grace = float(services[name]["stop_grace_period"].removesuffix("s"))
    assert settings_of(project_root, services[name]).drain_seconds < grace


def test_gateways_on_one_machine_take_different_ports(project_root: Path) -> None:
    taken: list[int] = []
    for name in PROCESSES:
        model, prefix = MODELS[name.removesuffix("-provider")]
        settings = load_settings(model, project_root / "config" / f"{name}.toml", prefix=prefix, environ={})
        taken += [value for key, value in _leaves(settings.model_dump()) if key == "port" and value != 8443]
    assert len(taken) == len(set(taken)) == 12


def _leaves(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield key, value


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
