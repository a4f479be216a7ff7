"""The how-to guides as something to run: their files and their commands, in the order in which they stand."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.fault_sources import ROOT

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([^`\s]+)`:\n\n\Z")
_STAYS = re.compile(r"^(xacbe \w+ serve|python -m examples\.)")


@dataclass(frozen=True, slots=True)
class Step:
    """A file to write (``file`` is its name), a process to start (``stays``), or commands to run to their end."""

    text: str
    file: str | None = None
    stays: bool = False


def steps(guide: str, ports: Mapping[int, int]) -> Iterator[Step]:
    """The steps of docs/how-to/<guide>.md, with each default port replaced."""
    document = (ROOT / "docs/how-to" / f"{guide}.md").read_text(encoding="utf-8")
    for fence in _FENCE.finditer(document):
        language, text = fence.groups()
        text = re.sub(r"\b\d{4}\b", lambda number: str(ports.get(int(number[0]), number[0])), text)
        if language == "sh":
            lines = text.splitlines()
            if any(_STAYS.match(line) for line in lines):
                yield from (Step(line, stays=True) for line in lines)
            else:
                yield Step(text)
        elif (named := _NAMED.search(document, 0, fence.start())) is not None:
            yield Step(text, file=named[1])


def write(step: Step, folder: Path) -> None:
    """Write the step's file."""
    assert step.file is not None
    path = folder / step.file
    path.parent.mkdir(exist_ok=True)
    path.write_text(step.text, encoding="utf-8")
