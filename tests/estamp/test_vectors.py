"""The committed vectors: each gets the verdict written beside it, and the generator still makes the same ones."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from tests.vectors.generate import FOLDER, NOT_COMMITTED, found, judge, make_cases
from tests.vectors.scene import Case, Scene

LARGEST = 1_000_000
"""How many bytes the committed vectors may have together."""

EXPECTED: Mapping[str, Mapping[str, object]]
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["vectors"]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def made_anew(scene: Scene) -> list[Case]:
    return make_cases(scene)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_committed_vector_gets_its_verdict(name: str) -> None:
    anchor = TrustAnchor.load((FOLDER / "anchor.json").read_bytes())
    catalogue = Catalogue.load((FOLDER / "catalogue.json").read_bytes())
    expected = EXPECTED[name]

    verdict = judge((FOLDER / f"{name}.asice").read_bytes(), expected, anchor, catalogue)

    assert found(verdict) == {key: expected[key] for key in ("valid", "reason", "check", "notes")}


def test_vectors_made_anew_get_the_same_verdicts(scene: Scene, made_anew: list[Case]) -> None:
    verdicts = {
        case.name: found(judge(case.container, case.expected, scene.pki.anchor, scene.catalogue)) for case in made_anew
    }
    wrong = {
        case.name: verdicts[case.name]
        for case in made_anew
        if any(case.expected[key] != value for key, value in verdicts[case.name].items())
    }
    assert wrong == {}


def test_the_committed_vectors_are_those_that_the_generator_makes(made_anew: list[Case]) -> None:
    made = {case.name: case.expected for case in made_anew}
    assert set(made) >= NOT_COMMITTED
    assert {name: what for name, what in made.items() if name not in NOT_COMMITTED} == EXPECTED
    assert {path.stem for path in FOLDER.glob("*.asice")} == set(EXPECTED)


def test_every_file_beside_the_vectors_is_accounted_for_and_small() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"]
    others = {path.name for path in files if path.suffix != ".asice"}
    assert others == {"README.md", "anchor.json", "catalogue.json", "expected.json"}
    assert sum(path.stat().st_size for path in files) < LARGEST


def test_no_valid_vector_is_lost_among_the_refused(made_anew: list[Case]) -> None:
    """Vectors differ from one another: a hook that no longer changes anything would show here."""
    refused = [case for case in made_anew if case.reason is not None]
    accepted = {case.container for case in made_anew if case.reason is None}
    assert not [case.name for case in refused if case.container in accepted]


def test_the_generator_runs_as_the_reference_says(tmp_path: Path, project_root: Path) -> None:
    command = [sys.executable, "-m", "tests.vectors.generate", str(tmp_path)]
    subprocess.run(command, cwd=project_root, check=True, timeout=60)

    made = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    assert made["vectors"] == EXPECTED
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in FOLDER.iterdir() if path.suffix in {".asice", ".json"}
    }
    keys = [path.name for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert keys == []
