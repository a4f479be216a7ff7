"""How the registry's changes and catalogues look on a terminal."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.verification import Policy, verify_catalogue
from xacbe.verdict_view import harmless, print_verdict

if TYPE_CHECKING:
    from central_registry.registration import Change

_MARKS = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "remove": ("-", "red"),
    "revoke": ("-", "red"),
    "leave": (".", "dim"),
}


def changes_json(changes: "Sequence[Change]") -> list[dict[str, object]]:
    """The changes as JSON-ready values."""
    return [
        {
            "action": change.action,
            "kind": change.kind,
            "name": change.name,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]


def print_changes(changes: "Sequence[Change]", *, dry_run: bool) -> None:
    """Print on stderr what changed, or for a dry run what would."""
    console = Console(stderr=True)
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for change in changes:
        mark, style = _MARKS[change.action]
        row = mark, str(change.kind), harmless(change.name), harmless(_difference(change))
        if console.is_terminal:
            table.add_row(*(Text(cell, style=style) for cell in row))
        else:
            console.print("  ".join(cell for cell in row if cell), markup=False, highlight=False, soft_wrap=True)
    if table.row_count:
        console.print(table)
    left = sum(change.action == "leave" for change in changes)
    done = len(changes) - left
    said = f"{done} to be changed, nothing was (dry run)." if dry_run and done else f"{done or 'Nothing'} changed."
    console.print(said, markup=False, highlight=False)
    if left:
        console.print(f"{left} not in the file, left as they are; --prune removes them.", markup=False, highlight=False)


def _difference(change: "Change") -> str:
    before, after = change.before or {}, change.after or {}
    if change.action == "change":
        names = [name for name in after if before.get(name) != after[name]]
        return ", ".join(f"{name}: {before.get(name)!r} -> {after[name]!r}" for name in names)
    told = after if change.action in ("add", "revoke") else before
    return ", ".join(f"{name}: {value!r}" for name, value in told.items() if value not in (None, ""))


def show_catalogue(container: bytes, anchor_file: bytes, *, as_json: bool) -> bool:
    """Verify a catalogue with an anchor file and print it on stdout; whether it is genuine. Raises AnchorError."""
    now = datetime.now(UTC)
    verdict, catalogue = verify_catalogue(container, TrustAnchor.load(anchor_file), Policy(at=now))
    if as_json:
        content = json.loads(catalogue.dump()) if catalogue else None
        told = {"valid": verdict.valid, "reason": verdict.reason, "expired": bool(catalogue and catalogue.expired(now))}
        sys.stdout.write(json.dumps({**told, "catalogue": content}, ensure_ascii=False, indent=2) + "\n")
        return verdict.valid
    if catalogue is None:
        print_verdict(Console(stderr=True), "catalogue", verdict)
        return False
    for line in _lines(catalogue, now):
        sys.stdout.write(harmless(line) + "\n")
    return True


def _lines(catalogue: Catalogue, now: datetime) -> Iterator[str]:
    expired = "  (expired)" if catalogue.expired(now) else ""
    yield f"catalogue {catalogue.version} of {catalogue.instance}, genuine"
    yield f"issued    {catalogue.issued_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"expires   {catalogue.expires_at:%Y-%m-%dT%H:%M:%SZ}{expired}"
    for member in catalogue.members:
        yield f"member    {member.id}  {member.name}{_suspended(member.suspended)}"
        for subsystem in member.subsystems:
            yield f"  subsystem  {subsystem.code}  {subsystem.name}".rstrip()
            for service in subsystem.services:
                yield f"    service  {service.code}  {service.title}".rstrip()
    for server in catalogue.servers:
        yield f"server    {server.id}  {server.address}{_suspended(server.suspended)}"
        yield from (f"  hosts        {client}" for client in server.clients)
        yield from (f"  certificate  {each}" for each in server.authentication_certificates)
    for address in dict.fromkeys(each.address for each in catalogue.timestamp_authorities):
        yield f"tsa       {address}"
    for address in dict.fromkeys(each.address for each in catalogue.status_responders):
        yield f"ocsp      {address}"
    yield from (f"revoked   {each}" for each in sorted(catalogue.revoked_certificates))


def _suspended(suspended: bool) -> str:
    return "  SUSPENDED" if suspended else ""
