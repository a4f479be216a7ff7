"""What the demo shows: progress on stderr while it starts, and the result on stdout."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from member_sdk import Answer, EvidenceVerdict
from xacbe.demo_ports import CONSUMER, Ports
from xacbe.evidence_view import print_evidence
from xacbe.verdict_view import harmless

_WARNING = (
    "This is a demonstration, NOT A PRODUCTION SET-UP: every key lies unencrypted in one folder, all parties share one "
    "machine and one administrator, and anyone on this machine may speak for the member."
)


class Progress:
    """Tells on stderr how far the start is: a live table on a terminal, a line for each step elsewhere.

    It has no thread of its own, because processes are started meanwhile.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began = time.monotonic()
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Begin."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the live table."""
        if self._console.is_terminal:
            self._live.stop()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def step(self, what: str) -> None:
        """Tell what is being done now."""
        self._say(f"{self.seconds:5.1f} s  {what}")

    def states(self, states: Mapping[str, str]) -> None:
        """Tell the state of each process."""
        if self._console.is_terminal:
            table = Table(box=None, show_header=False, padding=(0, 2))
            for name, state in states.items():
                table.add_row(Text(name), Text(harmless(state), style="green" if state == "ready" else "yellow"))
            self._live.update(table, refresh=True)
            return
        for name, state in states.items():
            if state == "ready" and self._told.get(name) != "ready":
                self.step(f"{name} is ready")
        self._told = dict(states)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_answer(console: Console, answer: Answer) -> None:
    """Print what the service answered."""
    call = answer.call
    _line(console, f"{call.client} asked {call.service}:")
    _line(console, f"  {call.method} {call.target}", style="dim")
    _line(console, f"  {answer.status_code}  {harmless(answer.text)}", style="bold")
    _line(console, f"  message id {answer.message_id}, request id {answer.request_id}", style="dim")
    console.print()


def print_proof(console: Console, verdict: EvidenceVerdict, evidence: Path) -> bool:
    """Print each check of the evidence and where it lies; return whether it is valid."""
    _line(console, "The evidence, verified offline with nothing but the trust anchor:")
    console.print()
    valid = print_evidence(console, verdict)
    console.print()
    _line(console, f"It lies in {evidence}; a court or an auditor verifies it without either party:")
    for name in ("request.asice", "response.asice"):
        anchor = shlex.quote(str(evidence / "anchor.json"))
        _line(console, f"  xacbe estamp verify {shlex.quote(str(evidence / name))} --anchor {anchor}")
    console.print()
    return valid


def print_directions(console: Console, ports: Ports, calls: Mapping[str, tuple[str, str]]) -> None:
    """Print the listeners, and for each of ``calls`` (what it shows: client, target) a curl line."""
    _line(console, "Listeners:")
    width = max(len(listener.url) for listener in ports.all())
    for listener in ports.all():
        _line(console, f"  {listener.url:<{width}}  {listener.process}: {listener.use}")
    console.print()
    for meaning, (client, target) in calls.items():
        _line(console, f"{meaning}:")
        address = ports.information_systems(CONSUMER).url + target
        _line(console, f"  curl -i -H 'X-Road-Client: {client}' {address}")
    console.print()


def print_warning(console: Console) -> None:
    """Say loudly what this is not."""
    if console.is_terminal:
        console.print(Panel(Text(_WARNING), title="no production set-up", style="bold yellow"))
    else:
        _line(console, f"WARNING: {_WARNING}")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
