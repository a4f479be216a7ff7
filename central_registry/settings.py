"""The registry's settings (config/registry.toml); every key can be overridden by XACBE_REGISTRY__SECTION__KEY."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from estamp.identifiers import is_strict
from service_runtime.keys import KeyKind
from service_runtime.settings import DatabaseUrl, Settings, SettingsPath, load_settings

PREFIX = "XACBE_REGISTRY"
"""Prefix of the environment variables that override the file."""

Port = Annotated[int, Field(ge=0, le=65535)]


def _strict(value: str) -> str:
    if not is_strict(value):
        raise ValueError("only the characters A-Z a-z 0-9 ' ( ) + , - . = ? are allowed")
    return value


def _address(value: str, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"an address like {schemes[0]}://host:port/ is needed")
    return value


def _http(value: str) -> str:
    return _address(value, ("http", "https"))


def _https(value: str) -> str:
    if not value.isascii():
        raise ValueError("a host name outside ASCII is written as xn--… here, as in certificates")
    return _address(value, ("https",))


class ListenSettings(Settings):
    """Where gateways and the status responder fetch the catalogue and the feed."""

    host: str = "0.0.0.0"
    port: Port = 4001


class ManagementSettings(Settings):
    """Where monitoring asks for health and metrics; plain HTTP, so on loopback by default."""

    host: str = "127.0.0.1"
    port: Port = 5589


class AddressSettings(Settings):
    """The addresses that others use; `registry` goes into the trust anchor, the rest into the catalogue."""

    registry: Annotated[tuple[Annotated[str, AfterValidator(_https)], ...], Field(min_length=1)]
    timestamp_authorities: Annotated[tuple[Annotated[str, AfterValidator(_http)], ...], Field(min_length=1)]
    status_responders: Annotated[tuple[Annotated[str, AfterValidator(_http)], ...], Field(min_length=1)]


class KeySettings(Settings):
    """What kind of keys `registry init` makes."""

    authorities: KeyKind = "ec-p256"
    timestamp_authority: KeyKind = "ec-p256"
    status_responder: KeyKind = "ec-p256"


class CatalogueSettings(Settings):
    """How long a catalogue is valid, and how often an unchanged one is stamped anew; seconds."""

    lifetime_seconds: Annotated[float, Field(ge=60, le=8 * 3600)] = 8 * 3600
    restamp_seconds: Annotated[float, Field(ge=1)] = 3600
    minimum_software_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "0.1.0"


class RegistrySettings(Settings):
    """Everything that one registry is told from outside."""

    instance: Annotated[str, AfterValidator(_strict)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "MX"
    operator: Annotated[str, Field(min_length=1, max_length=255)]
    state: SettingsPath
    database_url: DatabaseUrl | None = None
    key_passphrase_file: SettingsPath | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = 10
    listen: ListenSettings = ListenSettings()
    management: ManagementSettings = ManagementSettings()
    addresses: AddressSettings
    keys: KeySettings = KeySettings()
    catalogue: CatalogueSettings = CatalogueSettings()


def load(path: Path) -> RegistrySettings:
    """Read the registry's settings file; raises SettingsError that names each key at fault."""
    return load_settings(RegistrySettings, path, prefix=PREFIX)
