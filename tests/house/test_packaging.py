"""pyproject.toml names what is in the tree, and only that gets into the wheel."""

import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def project(project_root: Path) -> dict[str, Any]:
    return tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def packages(project: dict[str, Any]) -> list[str]:
    return list(project["tool"]["setuptools"]["packages"])


def _packages_in_tree(root: Path, tops: set[str]) -> set[str]:
    return {
        ".".join(init.parent.relative_to(root).parts)
        for top in tops
        for init in (root / top).rglob("__init__.py")
        if "__pycache__" not in init.parts
    }


def test_every_package_in_the_tree_is_listed_and_the_reverse(project_root: Path, packages: list[str]) -> None:
    outside_the_wheel = {"tests", "benchmarks"}
    tops = {init.parent.name for init in project_root.glob("[!.]*/__init__.py")} - outside_the_wheel
    assert _packages_in_tree(project_root, tops) == set(packages)


def test_no_module_lies_in_a_folder_that_is_no_package(project_root: Path, packages: list[str]) -> None:
    listed = {Path(*package.split(".")) for package in packages}
    stray = {
        module.relative_to(project_root).as_posix()
        for top in {package.split(".")[0] for package in packages}
        for module in (project_root / top).rglob("*.py")
        if module.relative_to(project_root).parent not in listed
    }
    assert stray == set()


def test_import_rules_and_types_are_checked_for_every_package(project: dict[str, Any], packages: list[str]) -> None:
    tops = {package.split(".")[0] for package in packages}
    assert set(project["tool"]["importlinter"]["root_packages"]) == tops
    assert set(project["tool"]["mypy"]["files"]) == tops | {"tests"}


def test_every_other_file_inside_a_package_gets_into_the_wheel(project_root: Path, packages: list[str]) -> None:
    patterns = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["*"]
    left_out = {
        path.relative_to(project_root).as_posix()
        for package in packages
        for path in project_root.joinpath(*package.split(".")).iterdir()
        if path.is_file() and path.suffix not in {".py", ".pyc"} and not any(path.match(p) for p in patterns)
    }
    assert left_out == set()


@pytest.mark.parametrize("limit", [400])
def test_modules_stay_small(project_root: Path, packages: list[str], limit: int) -> None:
    lengths = {
        module.relative_to(project_root).as_posix(): len(module.read_text(encoding="utf-8").splitlines())
        for package in packages
        for module in project_root.joinpath(*package.split(".")).glob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > limit} == {}
