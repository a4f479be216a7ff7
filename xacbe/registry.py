"""`xacbe registry`: the instance's administration."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xacbe.failures import FAILED, complain

if TYPE_CHECKING:
    from estamp.identifiers import MemberId, ServerId

ROOT_PASSPHRASE_VARIABLE = "XACBE_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable
"""The environment variable that may hold the root key's passphrase for `init`."""

KINDS = ("signing", "authentication")
REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
)
"""As central_registry.revocation has them (a test compares); repeated so that help needs no server packages."""

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)

config_option = click.option(
    "--config",
    type=_EXISTING,
    required=True,
    envvar="XACBE_REGISTRY_CONFIG",
    show_envvar=True,
    help="The registry's settings; config/registry.toml is a commented example.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")


class RefusingGroup(click.Group):
    """Ends with exit code 1 where the registry refused what was asked, with 3 (by the caller) where it is not ready."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            errors = sys.modules.get("central_registry.errors")
            if errors is None or not isinstance(error, errors.RefusalError):
                raise
            complain(f"{error.message.rstrip()} ({error.reason})", error.advice)
            ctx.exit(FAILED)


@click.group(cls=RefusingGroup)
def registry() -> None:
    """Run the instance: its members, their certificates, and the catalogue that gateways trust."""


@registry.command()
@config_option
@click.option("--root-passphrase-file", type=_EXISTING, help="Encrypt the root's key: a file of one line, mode 0600.")
@json_option
def init(config: Path, root_passphrase_file: Path | None, as_json: bool) -> None:
    """Make a new instance: keys, certificates, database and trust anchor, in the settings' state folder.

    Nothing that exists is overwritten. The root's passphrase may also stand in XACBE_ROOT_PASSPHRASE.
    """
    from datetime import UTC, datetime

    from central_registry.initialisation import initialise
    from central_registry.settings import load
    from service_runtime.keys import load_passphrase

    settings = load(config)
    passphrase = load_passphrase(root_passphrase_file, ROOT_PASSPHRASE_VARIABLE)
    anchor = initialise(settings, datetime.now(UTC), root_passphrase=passphrase)
    if as_json:
        _write_json(
            {"state": str(settings.state), "anchor": json.loads(anchor.dump()), "fingerprint": anchor.fingerprint}
        )
    else:
        click.echo(anchor.fingerprint)
    _say(f"The registry of {anchor.instance} is in {settings.state}. The line above is its anchor's fingerprint.")
    if passphrase is None:
        _say("The root's key is not encrypted.")
    _say(f"Keep {settings.state / 'root'} offline from now on. Next: xacbe registry apply, xacbe registry serve.")


@registry.command()
@config_option
def migrate(config: Path) -> None:
    """Bring the database to this software's version, after an update. Back it up first."""
    from central_registry.administration import migrate_database
    from central_registry.settings import load

    migrate_database(load(config))
    _say("The database is up to date.")


@registry.command()
@config_option
@click.argument("file", type=_EXISTING)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--prune", is_flag=True, help="Also remove what FILE does not name, and revoke its certificates.")
@json_option
def apply(config: Path, file: Path, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Bring members, subsystems, services and servers to what FILE (TOML) says, and show what changes.

    \b
    instance = "QROO"
    [[members]]
    class = "EST"
    code = "SSP"
    name = "Secretaría de Seguridad Ciudadana"
    subsystems = [{ code = "vehiculos", services = [{ code = "placas", title = "Vehicles" }] }]
    servers = [{ code = "gw1", address = "gw1.example:5500", clients = ["QROO/EST/SSP/vehiculos"] }]

    Applying the same file again changes nothing. A running registry publishes a change within a second.
    """
    from central_registry.administration import open_administration
    from central_registry.settings import load
    from xacbe.registry_view import changes_json, print_changes

    with open_administration(load(config)) as administration:
        changes = administration.apply(file, prune=prune, dry_run=dry_run)
    if as_json:
        _write_json({"dry_run": dry_run, "changes": changes_json(changes)})
    print_changes(changes, dry_run=dry_run)


@registry.command()
@config_option
@click.argument("csr", type=_EXISTING)
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What the certificate is for.")
@click.option("--server", required=True, help="The security server: instance/class/owner/server.")
@click.option("--member", help="The member that will seal (signing certificates): instance/class/member.")
@click.option("--out", type=_FILE, required=True, help="Where to write the certificate (PEM); must not exist.")
@click.option("--chain", type=_FILE, help="Where to write it followed by the issuing CA's (PEM), for TLS.")
@json_option
def issue(
    config: Path, csr: Path, kind: str, server: str, member: str | None, out: Path, chain: Path | None, as_json: bool
) -> None:
    """Issue a certificate for the key in CSR, a signing request that `xacbe gateway init` made.

    Of the request only the key counts; whom the certificate names is said here. Compare with the requester, over
    another way, that the request is theirs.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from central_registry.administration import open_administration
    from central_registry.certification import make_order
    from central_registry.settings import load
    from estamp.certificates import Kind, fingerprint
    from estamp.identifiers import MemberId, ServerId
    from service_runtime.keys import write_atomically

    for path in (out, chain):
        if path is not None and path.exists():
            raise click.UsageError(f"{path} exists already; nothing was issued.")
    order = make_order(Kind(kind), ServerId.parse(server), MemberId.parse(member) if member else None)
    with open_administration(load(config)) as administration:
        certificate = administration.issue(csr.read_bytes(), order)
        issuing = administration.issuing_ca()
    pem = certificate.public_bytes(Encoding.PEM)
    write_atomically(out, pem)
    if chain is not None:
        write_atomically(chain, pem + issuing.public_bytes(Encoding.PEM))
    if as_json:
        _write_json(
            {
                "fingerprint": fingerprint(certificate),
                "serial": f"{certificate.serial_number:x}",
                "holder": order.holder,
                "not_after": certificate.not_valid_after_utc.isoformat(),
                "file": str(out),
            }
        )
    else:
        click.echo(fingerprint(certificate))
    _say(f"Issued for {order.holder}, valid until {certificate.not_valid_after_utc:%Y-%m-%d}: {out}")


@registry.command()
@config_option
@click.argument("certificate")
@click.option("--reason", type=click.Choice(REASONS, case_sensitive=False), required=True, help="As RFC 5280 names it.")
@json_option
def revoke(config: Path, certificate: str, reason: str, as_json: bool) -> None:
    """Revoke CERTIFICATE: its file, serial number or SHA-256 fingerprint (hexadecimal).

    This is for good: what may come back is suspended instead. Status answers and catalogue follow within seconds.
    """
    from central_registry.administration import open_administration
    from central_registry.revocation import breaks_the_instance
    from central_registry.settings import load

    with open_administration(load(config)) as administration:
        row, newly = administration.revoke(certificate, reason)
    revoked_at = row.revoked_at.isoformat() if row.revoked_at else None
    if as_json:
        _write_json(
            {
                "fingerprint": row.fingerprint,
                "serial": row.serial,
                "holder": row.holder,
                "revoked_at": revoked_at,
                "reason": row.revocation_reason,
                "changed": newly,
            }
        )
    else:
        click.echo(row.fingerprint)
    _say(f"{'Revoked' if newly else 'Was revoked already'}: {row.holder}, {revoked_at}, {row.revocation_reason}.")
    if newly and breaks_the_instance(row):
        _say("Nothing in this instance will be believed any more until it has a new one.")


@registry.command()
@config_option
@click.argument("what", type=click.Choice(("member", "server")))
@click.argument("identifier")
@click.option("--reason", required=True, help="Why; kept in the audit record.")
def suspend(config: Path, what: str, identifier: str, reason: str) -> None:
    """Suspend a member (instance/class/code) or server (instance/class/owner/code) until `unsuspend`.

    A suspended one may neither ask nor answer; gateways learn it within seconds.
    """
    from central_registry.administration import open_administration
    from central_registry.settings import load

    party = _party(what, identifier)
    with open_administration(load(config)) as administration:
        newly = administration.suspend(party, reason)
    _say(f"{party} {'is suspended' if newly else 'was suspended already'}.")


@registry.command()
@config_option
@click.argument("what", type=click.Choice(("member", "server")))
@click.argument("identifier")
def unsuspend(config: Path, what: str, identifier: str) -> None:
    """End the suspension of a member or server."""
    from central_registry.administration import open_administration
    from central_registry.settings import load

    party = _party(what, identifier)
    with open_administration(load(config)) as administration:
        newly = administration.unsuspend(party)
    _say(f"{party} {'is suspended no more' if newly else 'was not suspended'}.")


@registry.command()
@config_option
@click.option("--out", type=_FILE, help="Write the anchor file here; without it, it goes to stdout.")
def anchor(config: Path, out: Path | None) -> None:
    """Export the trust anchor, and show its fingerprint (on stderr when the anchor goes to stdout).

    Whoever installs it compares the fingerprint with you, by telephone or on paper.
    """
    from central_registry.settings import load
    from central_registry.state_folder import load_anchor
    from service_runtime.keys import write_atomically

    exported = load_anchor(load(config))
    if out is None:
        click.echo(exported.dump(), nl=False)
        _say(f"Fingerprint: {exported.fingerprint}")
    else:
        write_atomically(out, exported.dump())
        click.echo(exported.fingerprint)


@registry.group()
def catalogue() -> None:
    """Look at published catalogues."""


@catalogue.command()
@click.option("--config", type=_EXISTING, envvar="XACBE_REGISTRY_CONFIG", help="The registry's settings.")
@click.option("--anchor", "anchor_file", type=_EXISTING, help="Verify FILE with this anchor; needs no registry.")
@click.option("--version", type=click.IntRange(min=1), help="This version; by default the newest.")
@click.argument("file", type=_EXISTING, required=False)
@json_option
def show(config: Path | None, anchor_file: Path | None, version: int | None, file: Path | None, as_json: bool) -> None:
    """Verify a catalogue and show what it says: FILE, or one that the registry published.

    The exit code is 0 only when it is genuine. That it has expired is told, and is no fault of an old version.
    """
    from xacbe.registry_view import show_catalogue

    if file is not None and version is not None:
        raise click.UsageError("Name a FILE or a --version, not both.")
    if config is None and (file is None or anchor_file is None):
        raise click.UsageError("Name the registry's settings with --config, or a FILE and an --anchor.")
    container, trusted = _container(config, anchor_file, version, file)
    sys.exit(0 if show_catalogue(container, trusted, as_json=as_json) else FAILED)


@registry.command()
@config_option
def serve(config: Path) -> None:
    """Run the registry: publish the catalogue and answer gateways until SIGTERM or Ctrl-C.

    Logs go to stderr as JSON lines.
    """
    from central_registry.process import serve_registry
    from central_registry.settings import load

    serve_registry(load(config))


def _container(
    config: Path | None, anchor_file: Path | None, version: int | None, file: Path | None
) -> tuple[bytes, bytes]:
    """The catalogue's container and the anchor file to verify it with."""
    if config is None:
        assert file is not None
        assert anchor_file is not None
        return file.read_bytes(), anchor_file.read_bytes()
    from central_registry.administration import open_administration
    from central_registry.settings import load

    with open_administration(load(config)) as administration:
        container = administration.catalogue(version).container if file is None else file.read_bytes()
        return container, anchor_file.read_bytes() if anchor_file else administration.anchor.dump()


def _party(what: str, identifier: str) -> "MemberId | ServerId":
    from estamp.identifiers import MemberId, ServerId

    return MemberId.parse(identifier) if what == "member" else ServerId.parse(identifier)


def _write_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _say(text: str) -> None:
    click.echo(text, err=True)
