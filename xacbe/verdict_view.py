"""How verdicts and messages look on a terminal: a table of checks, plain lines where there is no terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from estamp.verdict import Check, Outcome, Verdict

_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.NOT_CHECKED: "yellow"}
_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_CHECKED: "·"}


def harmless(text: str) -> str:
    """The text with control characters made visible: what a message holds must not steer a terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else repr(character)[1:-1] for character in text
    )


def print_checks(console: Console, checks: Iterable[Check]) -> None:
    """Print each check with its outcome, and for a failure its reason."""
    if not console.is_terminal:
        for check in checks:
            reason = f" ({check.reason})" if check.reason else ""
            line = f"{check.outcome:<11}  {check.name:<22}  {harmless(check.detail)}{reason}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in checks:
        style = _STYLES[check.outcome]
        detail = Text(harmless(check.detail), style="dim" if check.outcome is Outcome.NOT_CHECKED else "")
        if check.reason:
            detail.append(f"  {check.reason}", style="bold red")
        table.add_row(Text(_MARKS[check.outcome], style=style), Text(check.name, style=style), detail)
    console.print(table)


def print_verdict(console: Console, name: str, verdict: Verdict) -> None:
    """Print a verdict in full: the checks, the notes, and the conclusion."""
    print_checks(console, verdict.checks)
    for note in verdict.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    print_conclusion(console, name, verdict.valid, verdict.reason)


def print_conclusion(console: Console, name: str, valid: bool, reason: str | None) -> None:
    """Print whether ``name`` is valid, and for a refusal its reason."""
    if valid:
        console.print(Text.assemble((f"{name}: "), ("VALID", "bold green")), soft_wrap=True)
    else:
        console.print(Text.assemble((f"{name}: "), (f"NOT VALID ({reason})", "bold red")), soft_wrap=True)
