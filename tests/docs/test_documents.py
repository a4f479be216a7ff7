"""The documents point at what exists: files, modules, tests, and each other."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.fault_sources import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file()
)
SECURITY = (ROOT / "docs/security/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if "decisions" in each.parts], ids=str)
def test_every_decision_is_indexed(document: Path) -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert f"({document.relative_to('docs')})" in index


def test_every_module_of_the_security_list_exists() -> None:
    named = set(re.findall(r"`((?:estamp|service_runtime|gateway|central_registry|tsa|ocsp)/[\w/]+\.py)", SECURITY))
    assert len(named) > 25
    assert [each for each in sorted(named) if not (ROOT / each).is_file()] == []


def test_every_test_of_the_security_list_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)
    assert len(named) > 40
    assert [f"{file}::{name}" for file, name in named if name not in _tests_of(ROOT / file)] == []


def test_every_threat_has_a_defence_and_a_test() -> None:
    rows = [line for line in SECURITY.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    lacking = [
        row for row in rows if row.count(" | ") != 2 or "::test_" not in row or ".py`" not in row.split(" | ")[1]
    ]
    assert lacking == []


@pytest.mark.parametrize("document", ["docs/architecture.md", "docs/operations/README.md"])
def test_modules_named_elsewhere_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z0-9_]+\.py)`", text))
    known = {path.name for path in ROOT.glob("*/*.py")} | {path.name for path in ROOT.glob("gateway/way/*.py")}
    wrong = [each for each in named if not ((ROOT / each).is_file() if "/" in each else each in known)]
    assert wrong == []


def _tests_of(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
