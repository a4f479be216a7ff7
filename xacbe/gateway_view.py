"""How a gateway's enrolment and configuration look on a terminal and in JSON."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from estamp.anchor import TrustAnchor
from gateway.configuration_changes import Change
from gateway.enrolment import Enrolled, Installed
from gateway.settings import GatewaySettings

_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


def changes_json(changes: Sequence[Change]) -> list[dict[str, object]]:
    """The changes as JSON-ready values."""
    return [
        {
            "action": each.action,
            "kind": each.kind,
            "name": each.name,
            "before": dict(each.before),
            "after": dict(each.after),
        }
        for each in changes
    ]


def print_changes(changes: Sequence[Change]) -> None:
    """Write on stderr what is to change: one line a thing, one below it for each field that differs."""
    for change in changes:
        mark, colour = _MARKS[change.action]
        click.secho(f"{mark} {change.kind} {change.name}", fg=colour, err=True)
        for line in _fields(change):
            click.echo(f"    {line}", err=True)


def enrolled_json(enrolled: Sequence[Enrolled]) -> list[dict[str, object]]:
    """Keys and signing requests as JSON-ready values."""
    return [
        {
            "kind": str(each.holder.kind),
            "server": str(each.holder.server),
            "member": str(each.holder.member) if each.holder.member else None,
            "key": str(each.files.key),
            "request": str(each.request),
            "certificate": str(each.files.certificate),
            "made": each.made,
        }
        for each in enrolled
    ]


def installed_json(installed: Sequence[Installed]) -> list[dict[str, object]]:
    """Installed certificates as JSON-ready values."""
    return [
        {
            "kind": str(each.holder.kind),
            "name": each.holder.uri,
            "certificate": str(each.path),
            "not_after": each.not_after.isoformat(),
        }
        for each in installed
    ]


def print_next_steps(
    config_file: Path, settings: GatewaySettings, enrolled: Sequence[Enrolled], anchor: TrustAnchor | None
) -> None:
    """Write on stderr what was made, and what the administrators on both sides run next."""
    for each in enrolled:
        click.echo(f"{'Made' if each.made else 'Kept'} {each.files.key}", err=True)
    if anchor is not None:
        click.echo(
            "Compare the trust anchor's fingerprint with the central administrator's before you go on:", err=True
        )
        click.echo(f"  {anchor.fingerprint}", err=True)
    config = shlex.quote(str(config_file))
    results = [each.request.with_suffix(".pem").name for each in enrolled]
    click.echo("Next, the central administrator runs:", err=True)
    for each, result in zip(enrolled, results, strict=True):
        member = f" --member {shlex.quote(str(each.holder.member))}" if each.holder.member else ""
        click.echo(
            f"  xacbe registry issue {shlex.quote(each.request.name)} --kind {each.holder.kind} "
            f"--server {shlex.quote(str(each.holder.server))}{member} "
            f"--out {shlex.quote(f'leaf-{result}')} --chain {shlex.quote(result)}",
            err=True,
        )
    click.echo("With what comes back, run here:", err=True)
    if not settings.anchor_path.exists():
        click.echo(f"  xacbe gateway init --config {config} --anchor anchor.json", err=True)
    click.echo(f"  xacbe gateway install --config {config} {' '.join(map(shlex.quote, results))}", err=True)
    click.echo(f"  xacbe gateway apply --config {config} gateway-services.toml", err=True)
    click.echo(f"  xacbe gateway serve --config {config}", err=True)


def _fields(change: Change) -> list[str]:
    if change.action == "remove":
        return []
    lines: list[str] = []
    for name, after in change.after.items():
        before = change.before.get(name)
        if isinstance(after, list) and change.action == "change":
            lines += _members(name, before, after)
        elif change.action == "change":
            lines.append(f"{name}: {before} -> {after}")
        elif after not in ("", []):
            lines.append(f"{name}: {', '.join(map(str, after)) if isinstance(after, list) else after}")
    return lines


def _members(name: str, before: object, after: Sequence[object]) -> list[str]:
    old = before if isinstance(before, list) else []
    return [f"{name}: - {each}" for each in old if each not in after] + [
        f"{name}: + {each}" for each in after if each not in old
    ]
