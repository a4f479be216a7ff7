"""The settings of the time-stamping authority; config/tsa.toml is the commented example."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from estamp.der import DerError, object_identifier
from service_runtime.settings import Settings, SettingsPath, load_settings

ENVIRONMENT_PREFIX = "XACBE_TSA"
"""A variable ``XACBE_TSA__LISTEN__PORT`` overrides ``listen.port``."""

# Under 2.25 anybody may use the number of a UUID; this one was drawn for the authority of this project.
DEFAULT_POLICY = "2.25.339324135378462738274769381807578480429"
"""The policy under which tokens are made when the settings name none."""

Port = Annotated[int, Field(ge=0, le=65535)]


def _check_object_identifier(text: str) -> str:
    try:
        object_identifier(text)
    except DerError as error:
        raise ValueError(str(error)) from error
    return text


ObjectIdentifier = Annotated[str, Field(max_length=150), AfterValidator(_check_object_identifier)]
"""An object identifier in dotted form."""


class ListenSettings(Settings):
    """Where time-stamp requests are taken: plain HTTP, as RFC 3161 section 3.4 has it."""

    host: str = "127.0.0.1"
    port: Port = 8899
    max_request_bytes: Annotated[int, Field(ge=64, le=1024 * 1024)] = 64 * 1024


class ManagementSettings(Settings):
    """Where health and metrics are shown."""

    host: str = "127.0.0.1"
    port: Port = 5590


class SigningSettings(Settings):
    """What tokens are signed with.

    ``certificate`` is PEM: the authority's certificate first, then, if any, those above it. ``enclose_chain`` puts
    these others into each token too, so that a token proves itself; a catalogue holds them nowhere else.
    The passphrase of an encrypted key comes from a file (mode 0600) or from the environment variable that is named.
    """

    certificate: SettingsPath
    key: SettingsPath
    passphrase_file: SettingsPath | None = None
    passphrase_variable: str | None = None
    enclose_chain: bool = True


class TokenSettings(Settings):
    """What tokens say: the policy they are made under, and how far their time may be off, in whole seconds."""

    policy: ObjectIdentifier = DEFAULT_POLICY
    accuracy_seconds: Annotated[int, Field(ge=1, le=3600)] = 1


class TsaSettings(Settings):
    """All settings of the process. ``drain_seconds``: how long requests in flight may take after a SIGTERM."""

    signing: SigningSettings
    listen: ListenSettings = ListenSettings()
    management: ManagementSettings = ManagementSettings()
    tokens: TokenSettings = TokenSettings()
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load_tsa_settings(path: Path | None) -> TsaSettings:
    """Read the settings file and the variables that override it; raise SettingsError naming what is wrong."""
    return load_settings(TsaSettings, path, prefix=ENVIRONMENT_PREFIX)
