"""The tables of docs/reference/faults.md, from gateway/fault_table.py and the source that raises them.

``python -m tests.docs.fault_tables`` writes them anew between their markers.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from gateway.fault_table import SECTIONS, Row
from gateway.faults import Fault, Place
from tests.docs.fault_sources import ROOT, raised_by_estamp, raised_by_gateway, raised_by_stamping

DOCUMENT = ROOT / "docs/reference/faults.md"
BEGIN = "<!-- tables: python -m tests.docs.fault_tables -->"
END = "<!-- end of tables -->"

_SHORT = {Place.CONSUMER: "consumer", Place.PROVIDER: "provider", Place.SERVICE: "service"}


def expected_tables() -> str:
    """What stands between the markers."""
    places = _places()
    parts = []
    for title, rows in SECTIONS.items():
        lines = [f"### {title}", "", "| reason | type | place | again? | advice |", "|---|---|---|---|---|"]
        lines += [_line(row, places.get(row.reason, [])) for row in rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def document_with(tables: str, document: str) -> str:
    """The document with these tables between its markers."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def _line(row: Row, places: list[Place]) -> str:
    types = dict.fromkeys(Fault(row.reason, "", place).type for place in places)
    cells = (
        f"`{row.reason}`",
        " ".join(f"`{each}`" for each in types),
        ", ".join(_SHORT[place] for place in places),
        "yes" if row.retryable else "no",
        row.advice,
    )
    return f"| {' | '.join(cells)} |"


def _places() -> Mapping[str, list[Place]]:
    found: dict[str, set[Place]] = defaultdict(set)
    for each in (*raised_by_estamp(), *raised_by_stamping(), *raised_by_gateway()):
        found[each.reason] |= each.places
    return {reason: [place for place in Place if place in places] for reason, places in found.items()}


def main(document: Path = DOCUMENT) -> None:
    """Write the tables into the document."""
    document.write_text(document_with(expected_tables(), document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
