"""The settings of the status responder's process, as config/ocsp.toml shows them."""

from typing import Annotated, Literal

from pydantic import Field

from service_runtime.settings import Settings, SettingsPath

ENVIRONMENT_PREFIX = "XACBE_OCSP"
"""What the names of overriding environment variables begin with."""

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class IssuerSettings(Settings):
    """One authority for which status is answered, and with which delegated certificate and key.

    The passphrase of an encrypted key comes from a file (mode 0600) or from the environment variable that is named.
    """

    certificate: SettingsPath
    responder_certificate: SettingsPath
    key: SettingsPath
    passphrase_file: SettingsPath | None = None
    passphrase_variable: str | None = None


class FeedSettings(Settings):
    """Where the status feed comes from and where its copy is kept. Times in seconds.

    `url` defaults to `/status-feed` at the trust anchor's first registry address. Without a confirmation by the
    registry for `max_age_seconds`, every answer is tryLater.
    """

    url: Annotated[str, Field(pattern=r"^https://")] | None = None
    file: SettingsPath
    poll_seconds: Seconds = 1.0
    timeout_seconds: Seconds = 5.0
    max_age_seconds: Seconds = 600.0
    max_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024


class ListenSettings(Settings):
    """The listener for status requests: plain HTTP, as the protocol is; its answers are signed."""

    host: str = "127.0.0.1"
    port: Port = 8888
    max_request_bytes: Annotated[int, Field(gt=0)] = 16 * 1024
    body_timeout_seconds: Seconds = 10.0


class ManagementSettings(Settings):
    """The listener for monitoring: /health/live, /health/ready, /metrics."""

    host: str = "127.0.0.1"
    port: Port = 5591


class OcspSettings(Settings):
    """All settings. `validity_seconds` is how long after its making an answer says that it may be used."""

    anchor: SettingsPath
    issuers: Annotated[tuple[IssuerSettings, ...], Field(min_length=1)]
    feed: FeedSettings
    listen: ListenSettings = ListenSettings()
    management: ManagementSettings = ManagementSettings()
    validity_seconds: Seconds = 3600.0
    drain_seconds: Seconds = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
