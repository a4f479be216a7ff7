"""The gateway's settings; config/gateway.toml is the commented example."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from estamp.identifiers import MemberId, encode_piece
from gateway.identifier_fields import MemberField, ServerField
from service_runtime.settings import DatabaseUrl, Settings, SettingsPath, load_settings

ENVIRONMENT_PREFIX = "XACBE_GATEWAY"
"""A variable ``XACBE_GATEWAY__LISTENERS__PEERS__PORT`` overrides ``listeners.peers.port``."""

_STAMP_BYTES = 256 * 1024
"""Room in a container for everything but head and body; a real e-stamp takes 9 KB."""


def _require_loopback(host: str) -> str:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            "plain HTTP is for this machine alone, so it must be a loopback address such as 127.0.0.1; "
            "information systems elsewhere use listeners.information_systems_https"
        )
    return host


Host = Annotated[str, Field(min_length=1, description="The address to listen on.")]
Port = Annotated[int, Field(ge=0, le=65535, description="The TCP port to listen on; 0 takes any free one.")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class DatabaseSettings(Settings):
    """Where the query log and the configuration are kept."""

    url: DatabaseUrl | None = Field(
        default=None,
        repr=False,
        description="SQLAlchemy address of the database; by default the file gateway.sqlite3 in state_directory.",
    )


class KeySettings(Settings):
    """A private key with its certificate; what is not given lies where `xacbe gateway init` puts it."""

    key: SettingsPath | None = Field(default=None, description="The private key, PEM, mode 0600.")
    certificate: SettingsPath | None = Field(
        default=None, description="The certificate, PEM, followed by the issuing CA's."
    )
    passphrase_file: SettingsPath | None = Field(
        default=None, description="A file (mode 0600) with the passphrase of an encrypted key."
    )
    passphrase_variable: str | None = Field(
        default=None, description="The name of an environment variable that holds the passphrase."
    )


class SigningSettings(KeySettings):
    """The key with which this gateway seals one member's messages."""

    member: MemberField = Field(description="The member: instance/class/member.")


class PlainListener(Settings):
    """Information systems on this machine, over plain HTTP."""

    enabled: bool = Field(default=True, description="Whether to listen at all.")
    host: Annotated[Host, AfterValidator(_require_loopback)] = "127.0.0.1"
    port: Port = 8080


class TlsListener(Settings):
    """Information systems elsewhere, over mTLS with the certificates that `xacbe gateway apply` registered.

    It listens when certificate and key are given.
    """

    host: Host = "0.0.0.0"
    port: Port = 8443
    certificate: SettingsPath | None = Field(
        default=None, description="The server certificate that information systems trust, PEM, with its chain."
    )
    key: SettingsPath | None = Field(default=None, description="Its private key, PEM, mode 0600.")
    passphrase_file: SettingsPath | None = Field(default=None, description="A file (mode 0600) with its passphrase.")

    @property
    def enabled(self) -> bool:
        """Whether to listen at all."""
        return self.certificate is not None

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together or not at all")
        return self


class PeerListener(Settings):
    """Other gateways, over mTLS."""

    host: Host = "0.0.0.0"
    port: Port = 5500


class ManagementListener(Settings):
    """Health and metrics."""

    host: Host = "127.0.0.1"
    port: Port = 5588


class Listeners(Settings):
    """Where the gateway listens, and for whom."""

    information_systems_http: PlainListener = PlainListener()
    information_systems_https: TlsListener = TlsListener()
    peers: PeerListener = PeerListener()
    management: ManagementListener = ManagementListener()


class Limits(Settings):
    """How much the gateway takes in."""

    max_body_bytes: int = Field(
        default=10 * 1024 * 1024, ge=1024, le=1024**3, description="Longest body of a request or an answer."
    )
    max_head_bytes: int = Field(
        default=64 * 1024, ge=4096, le=1024**2, description="Longest head: request line or status, with all headers."
    )
    max_concurrent_per_peer: int = Field(
        default=256, ge=1, description="How many requests of one peer gateway are in work at the same time."
    )
    max_concurrent_client: int = Field(
        default=256, ge=1, description="How many calls of information systems are in work at the same time."
    )

    @property
    def max_container_bytes(self) -> int:
        """Longest container: the longest head and body, and room for the e-stamp."""
        return self.max_body_bytes + self.max_head_bytes + _STAMP_BYTES


class Times(Settings):
    """How far clocks may differ, and how long to wait."""

    tolerance_seconds: Seconds = Field(
        default=300.0, description="How far a message's signing time may be from its timestamp and from our clock."
    )
    request_timeout_seconds: Seconds = Field(
        default=60.0, description="How long the other gateway has for its answer, the service's time included."
    )
    connect_timeout_seconds: Seconds = Field(
        default=10.0, description="How long connecting to another gateway or to a service may take."
    )
    timestamp_timeout_seconds: Seconds = Field(default=5.0, description="How long one TSA has for a timestamp.")
    status_timeout_seconds: Seconds = Field(default=5.0, description="How long one status responder has.")


class Refusals(Settings):
    """How many refusals are written to the query log; the others are counted."""

    per_second: float = Field(default=50.0, gt=0, description="How many a second, in the long run.")
    burst: int = Field(default=200, ge=1, description="How many at once.")


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The files of one key: the key, its certificate (followed by the issuing CA's), and where its passphrase is."""

    key: Path
    certificate: Path
    passphrase_file: Path | None = None
    passphrase_variable: str | None = None


class GatewaySettings(Settings):
    """All settings of the process."""

    server: ServerField = Field(description="This gateway: instance/class/owner/server.")
    state_directory: SettingsPath = Field(
        default=Path("state"), description="Where keys, certificates, database and catalogue are kept."
    )
    anchor: SettingsPath | None = Field(
        default=None, description="The trust anchor; by default anchor.json in state_directory."
    )
    database: DatabaseSettings = DatabaseSettings()
    authentication: KeySettings = KeySettings()
    signing: tuple[SigningSettings, ...] = Field(
        default=(), description="The members whose messages are sealed here; by default the server's owner alone."
    )
    listeners: Listeners = Listeners()
    limits: Limits = Limits()
    time: Times = Times()
    refusals: Refusals = Refusals()
    evidence_download: bool = Field(
        default=True, description="Whether information systems may download evidence of their own messages."
    )
    drain_seconds: float = Field(
        default=30.0, ge=0, le=600, description="How long messages in work may take after a SIGTERM."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log entries that are written."
    )

    @model_validator(mode="after")
    def _require_one_key_a_member(self) -> Self:
        members = [each.member for each in self.signing]
        for position, member in enumerate(members):
            if member.instance != self.server.instance:
                raise ValueError(f"signing: {member} is not of the instance {self.server.instance}")
            if member in members[:position]:
                raise ValueError(f"signing: {member} stands there twice")
        return self

    @property
    def anchor_path(self) -> Path:
        """The trust anchor's file."""
        return self.anchor or self.state_directory / "anchor.json"

    @property
    def database_url(self) -> str:
        """The address of the database; it may hold a password."""
        return self.database.url or f"sqlite:///{self.state_directory / 'gateway.sqlite3'}"

    @property
    def authentication_files(self) -> KeyFiles:
        """The key and certificate that this gateway presents to peers."""
        return self._files(self.authentication, "authentication")

    @property
    def signing_files(self) -> dict[MemberId, KeyFiles]:
        """The key and certificate of each member whose messages are sealed here."""
        if not self.signing:
            return {self.server.owner: self._files(KeySettings(), _signing_name(self.server.owner))}
        return {each.member: self._files(each, _signing_name(each.member)) for each in self.signing}

    def _files(self, given: KeySettings, name: str) -> KeyFiles:
        return KeyFiles(
            key=given.key or self.state_directory / f"{name}.key",
            certificate=given.certificate or self.state_directory / f"{name}.pem",
            passphrase_file=given.passphrase_file,
            passphrase_variable=given.passphrase_variable,
        )


def load_gateway_settings(path: Path | None) -> GatewaySettings:
    """Read the settings file and the variables that override it; raises SettingsError naming what is wrong."""
    return load_settings(GatewaySettings, path, prefix=ENVIRONMENT_PREFIX)


def _signing_name(member: MemberId) -> str:
    # Pieces may hold any character but these two, once encoded, so no two members share a file.
    pieces = (encode_piece(piece).replace("_", "%5F") for piece in (member.member_class, member.member_code))
    return "_".join(["signing", *pieces])
