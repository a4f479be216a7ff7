"""Which line of a TOML file a value stands in, so that an error can point at it.

The parser of the standard library tells no lines. This reads only headers and `key =` at the beginning of lines, as
people write them; for what it does not find (inline tables, keys within multi-line strings) it answers the line of the
nearest part above.
"""

import re

Place = tuple[str | int, ...]
"""Keys and list positions from the top of the file to a value."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_\-. ]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-]+)\s*=")


def line_of(text: str, place: Place) -> int:
    """The line (from 1) of the value at `place`, or of the nearest part above it that can be found."""
    lines = _lines(text)
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def path_text(place: Place) -> str:
    """The place as people write it: `members[0].servers[1].address`; list positions count from 0."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


def _lines(text: str) -> dict[Place, int]:
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _table(header[2], header[1] == "[[", counts)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def _table(name: str, is_list: bool, counts: dict[Place, int]) -> Place:
    steps = [step.strip() for step in name.split(".")]
    table: Place = ()
    for position, step in enumerate(steps):
        table = (*table, step)
        if position == len(steps) - 1 and is_list:
            counts[table] = counts.get(table, -1) + 1
        if table in counts:
            table = (*table, counts[table])
    return table
