"""`xacbe gateway`: a member's gateway (security server)."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.settings import GatewaySettings

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)

config_option = click.option(
    "--config",
    "config_file",
    type=_EXISTING,
    required=True,
    envvar="XACBE_GATEWAY_CONFIG",
    show_envvar=True,
    help="The gateway's settings; config/gateway.toml is a commented example.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")


@click.group()
def gateway() -> None:
    """Set up and run a member's gateway: it signs, timestamps, logs and authorises every message."""


@gateway.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    envvar="XACBE_GATEWAY_CONFIG",
    show_envvar=True,
    help="The gateway's settings; with --write-config, where to write them.",
)
@click.option("--write-config", is_flag=True, help="First write a new settings file, for the gateway --server.")
@click.option("--server", help="With --write-config: this gateway, instance/class/owner/server.")
@click.option(
    "--member", "members", multiple=True, help="With --write-config: a member that seals here; again for more."
)
@click.option("--anchor", type=_EXISTING, help="The trust anchor from the central administrator, to put in its place.")
@json_option
def init(
    config_file: Path,
    write_config: bool,
    server: str | None,
    members: tuple[str, ...],
    anchor: Path | None,
    as_json: bool,
) -> None:
    """Make this gateway's keys, their signing requests (.csr) and its database.

    Keys never leave this machine and are never overwritten: run it again after adding a member to the settings. The
    .csr files go to the central administrator, who answers with certificates for `xacbe gateway install`.
    """
    from gateway.enrolment import install_anchor, make_keys
    from gateway.settings import load_gateway_settings
    from gateway.settings_file import write_settings_file
    from xacbe.gateway_view import enrolled_json, print_next_steps

    if write_config:
        if server is None:
            raise click.UsageError("--write-config needs --server.")
        write_settings_file(config_file, server, members)
    elif server is not None or members:
        raise click.UsageError("--server and --member are for --write-config; otherwise they stand in the settings.")
    elif not config_file.is_file():
        raise click.UsageError(f"There is no {config_file}. To make one: --write-config --server ...")
    settings = load_gateway_settings(config_file)
    made = make_keys(settings)
    trusted = install_anchor(settings, anchor) if anchor else None
    _migrate(settings)
    if as_json:
        _write_json({"keys": enrolled_json(made), "anchor_fingerprint": trusted.fingerprint if trusted else None})
    else:
        for each in made:
            click.echo(str(each.request))
    print_next_steps(config_file, settings, made, trusted)


@gateway.command()
@config_option
@click.argument("certificates", type=_EXISTING, nargs=-1, required=True)
@json_option
def install(config_file: Path, certificates: tuple[Path, ...], as_json: bool) -> None:
    """Put the CERTIFICATES that the registry issued in their place, after checking each.

    Each must be for this gateway, belong to a key that `init` made here, and lead to the trust anchor's root; give the
    issuing CA's certificate too, unless the files hold it (`xacbe registry issue --chain`).
    """
    from datetime import UTC, datetime

    from estamp.anchor import TrustAnchor
    from gateway.enrolment import install_certificates
    from gateway.settings import load_gateway_settings
    from xacbe.gateway_view import installed_json

    settings = load_gateway_settings(config_file)
    anchor = TrustAnchor.load(settings.anchor_path.read_bytes())
    installed = install_certificates(settings, anchor, certificates, datetime.now(UTC))
    if as_json:
        _write_json(installed_json(installed))
    for each in installed:
        if not as_json:
            click.echo(str(each.path))
        _say(f"Installed for {each.holder.uri}, valid until {each.not_after:%Y-%m-%d}: {each.path}")


@gateway.command()
@config_option
@click.argument("file", type=_EXISTING)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@json_option
def apply(config_file: Path, file: Path, dry_run: bool, as_json: bool) -> None:
    """Set services, access rights and information systems to what FILE (TOML) says, and show what changes.

    FILE is the whole truth: what is not in it is removed. Applying it again changes nothing. A running gateway takes a
    change over within a second. config/gateway-services.toml is a commented example.
    """
    from gateway.configuration import ConfigurationStore
    from gateway.configuration_changes import changes_between
    from gateway.configuration_file import read_configuration_file
    from gateway.settings import load_gateway_settings
    from xacbe.gateway_view import changes_json, print_changes

    settings = load_gateway_settings(config_file)
    wanted = read_configuration_file(file, settings.server)
    store = ConfigurationStore(_open_database(settings, config_file))
    old = store.load()
    changes = changes_between(old, wanted)
    print_changes(changes)
    act = bool(changes) and not dry_run
    revision = store.replace(wanted, instead_of=old) if act else old.revision
    if as_json:
        _write_json({"changes": changes_json(changes), "applied": act, "revision": revision})
    if not changes:
        _say("Nothing to change.")
    else:
        _say(f"{len(changes)} changed." if act else f"{len(changes)} to be changed; nothing was (dry run).")


@gateway.command()
@config_option
def export(config_file: Path) -> None:
    """Write services, access rights and information systems to stdout, as the TOML that `apply` reads."""
    from gateway.configuration import ConfigurationStore
    from gateway.configuration_file import write_configuration_file
    from gateway.settings import load_gateway_settings

    store = ConfigurationStore(_open_database(load_gateway_settings(config_file), config_file))
    click.echo(write_configuration_file(store.load()), nl=False)


@gateway.command()
@config_option
def migrate(config_file: Path) -> None:
    """Bring the database to this software's version, after an update. Back it up first."""
    from gateway.settings import load_gateway_settings

    _migrate(load_gateway_settings(config_file))
    _say("The database is up to date.")


@gateway.command()
@config_option
def serve(config_file: Path) -> None:
    """Run the gateway until SIGTERM or Ctrl-C, which let messages in work finish. Logs go to stderr as JSON lines."""
    from gateway.serve import run
    from gateway.settings import load_gateway_settings

    run(load_gateway_settings(config_file))


def _migrate(settings: "GatewaySettings") -> None:
    from service_runtime.database import migrate as migrate_database
    from service_runtime.database import open_engine

    settings.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate_database(open_engine(settings.database_url), "gateway")


def _open_database(settings: "GatewaySettings", config_file: Path) -> "Engine":
    from service_runtime.database import open_engine, require_migrated

    engine = open_engine(settings.database_url)
    require_migrated(engine, "gateway", f"xacbe gateway migrate --config {config_file}")
    return engine


def _write_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _say(text: str) -> None:
    click.echo(text, err=True)
