"""Reading a trace of a gateway's system calls: was each entry on the disk before something was sent because of it?"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TRACED = "fsync,fdatasync,pwrite64,pwritev,write,writev,sendto,sendmsg,sendmmsg"
"""The calls to trace: whatever can sync, and whatever can write to a file or a socket."""

_SYNCS = ("fsync", "fdatasync")
_LINE = re.compile(r"^(\d+) +(?:(\w+)\((\d+)<(TCP(?:v6)?:\[[^\]]*\]|[^>]*)>|<\.\.\. (\w+) resumed>)(.*)$")
_CONNECTION = re.compile(r"TCP(?:v6)?:\[.*:(\d+)->.*:(\d+)\]")
_LOG = "gateway.sqlite3-wal"


def tracer(file: Path) -> list[str]:
    """The command that runs another one under strace, as the same process, and writes what it calls into `file`."""
    # -D: the traced program is the process that was started, so that signals reach it. -yy: names of files and sockets.
    return ["strace", "-D", "-f", "-yy", "-s", "4200", "-e", f"trace={TRACED}", "-e", "signal=none", "-o", str(file)]


@dataclass(frozen=True)
class Milestone:
    """Something that a gateway sends because of an entry: its name, and whether bytes on a connection are that."""

    name: str
    is_it: Callable[[int, int], bool]


def to_port(name: str, port: int) -> Milestone:
    """What is sent on connections that the gateway opened to this port."""
    return Milestone(name, lambda _, remote: remote == port)


def from_port(name: str, port: int) -> Milestone:
    """What is sent on connections that others opened to this port of the gateway."""
    return Milestone(name, lambda local, _: local == port)


def violations(trace: Iterable[str], request_id: str, milestones: Iterable[Milestone]) -> list[str]:
    """What is wrong in a trace of one call.

    Before each milestone, and after the one before it, an entry that holds the request id must have been written to the
    log, and a sync of the log must have ended after the last write to it.
    """
    waiting = list(milestones)
    found: list[str] = []
    written = synced = False
    unfinished: dict[str, tuple[str, str]] = {}
    for line in trace:
        match = _LINE.match(line)
        if match is None:
            continue
        process, call, _, what, resumed, rest = match.groups()
        if resumed:
            call, what = unfinished.pop(process, (resumed, ""))
        elif rest.endswith("<unfinished ...>"):
            unfinished[process] = (call, what)
        if call in _SYNCS:
            # A sync counts once it has ended, and well.
            if _LOG in what and rest.endswith("= 0"):
                synced = True
        elif _LOG in what and not resumed:
            written, synced = written or request_id in rest, False
        elif waiting and not resumed and (connection := _CONNECTION.match(what)):
            # What is sent counts from its beginning.
            local, remote = map(int, connection.groups())
            if waiting[0].is_it(local, remote):
                name = waiting.pop(0).name
                if not written:
                    found.append(f"{name}: sent before its entry was written")
                if not synced:
                    found.append(f"{name}: sent before its entry was synced")
                written = synced = False
            elif any(later.is_it(local, remote) for later in waiting):
                found.append(f"{waiting[0].name}: not sent first")
    return found + [f"{each.name}: not in the trace" for each in waiting]
