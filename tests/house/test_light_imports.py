"""What a developer or an auditor imports works with the light install: no server library is loaded on the way."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

LIGHT = ("estamp", "estamp.verification", "estamp.anchor", "member_sdk", "xacbe.main", "xacbe.estamp", "xacbe.call")

REPORT = "import sys, json, importlib; importlib.import_module(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"


def _modules_that_only_the_server_extra_brings(root: Path) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements: list[str] = project["optional-dependencies"]["server"]
    distributions = {re.split(r"[<>=!~\[ ;]", requirement)[0].lower() for requirement in requirements}
    return {
        module
        for module, names in packages_distributions().items()
        if {name.lower() for name in names} <= distributions and module.isidentifier()
    }


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_loads_nothing_of_the_servers(project_root: Path, module: str) -> None:
    heavy = _modules_that_only_the_server_extra_brings(project_root)
    assert {"aiohttp", "fastapi", "sqlalchemy", "uvicorn"} <= heavy
    done = subprocess.run(
        [sys.executable, "-c", REPORT, module],
        capture_output=True,
        text=True,
        cwd=project_root,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded & (heavy | {"service_runtime", "tsa", "ocsp", "central_registry", "gateway"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["estamp", "--help"], ["call", "--help"]])
def test_help_of_the_light_commands_works_without_server_libraries(project_root: Path, arguments: list[str]) -> None:
    heavy = sorted(_modules_that_only_the_server_extra_brings(project_root))
    # None in sys.modules makes an import fail as if the library were not installed.
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({heavy!r}));"
        f"from xacbe.main import main; sys.argv = ['xacbe', *{arguments!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=project_root, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
