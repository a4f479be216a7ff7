"""The light install: the built wheel in a virtual environment with requirements/base.txt and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from member_sdk import Gateway
from tests.breaking import entry_of, flipped, rebuilt
from tests.built_wheel import build_wheel
from tests.requirements_of_tests import missing
from tests.running_instance import CLIENT, PLATE, SERVICE, WITHOUT_RIGHT, RunningInstance


class LightInstall:
    """The virtual environment; commands run away from the source tree."""

    def __init__(self, folder: Path) -> None:
        self.scripts = folder / "environment" / "bin"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()

    def run(self, program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment with nothing of the test's own surroundings."""
        return subprocess.run(
            [str(self.scripts / program), *map(str, arguments)],
            cwd=self.elsewhere,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def light(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> LightInstall:
    folder = tmp_path_factory.mktemp("light")
    made = LightInstall(folder)
    venv.create(folder / "environment", with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(made.scripts / "python"), "--disable-pip-version-check"]
    install = [*pip, "--no-input", "install", "--quiet"]
    requirements = ["--require-hashes", "--only-binary", ":all:", "-r", str(project_root / "requirements" / "base.txt")]
    done = subprocess.run([*install, *requirements], capture_output=True, text=True, timeout=110, check=False)
    if done.returncode and re.search(
        r"NewConnectionError|Name or service|from versions: none|ReadTimeout", done.stderr
    ):
        missing("this test needs a package registry, and pip reaches none")
    assert done.returncode == 0, done.stderr
    wheel = build_wheel(project_root, folder)
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], timeout=60, check=True)
    return made


@pytest.fixture(scope="module")
def evidence(instance: RunningInstance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    with Gateway(instance.url(), CLIENT) as gateway:
        gateway.call(SERVICE, PLATE).evidence().save(folder)
    shutil.copyfile(instance.registry_state / "anchor.json", folder / "anchor.json")
    return folder


def test_only_the_light_install_s_packages_are_there(light: LightInstall, project_root: Path) -> None:
    listing = "import importlib.metadata as m; print(*{d.name.lower().replace('_', '-') for d in m.distributions()})"
    installed = set(light.run("python", "-c", listing).stdout.split())
    lock = (project_root / "requirements" / "base.txt").read_text()
    assert installed == {*re.findall(r"^([a-z0-9.-]+)==", lock, flags=re.MULTILINE), "xacbe"}
    where = light.run("python", "-c", "import member_sdk; print(member_sdk.__file__)").stdout
    assert where.startswith(str(light.scripts.parent))


def test_ten_line_script_gets_the_answer_and_verifies_its_evidence(
    light: LightInstall, instance: RunningInstance, evidence: Path, project_root: Path
) -> None:
    script = project_root / "examples" / "ask_for_a_plate.py"
    assert len([line for line in script.read_text().splitlines() if line and not line.startswith('"""')]) <= 10
    done = light.run("python", shutil.copy(script, light.elsewhere), instance.url(), evidence / "anchor.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 {'placa': 'UTR-123-A'")
    assert done.stdout.endswith("evidence valid: True\n")


@pytest.mark.parametrize("name", ["request.asice", "response.asice"])
def test_evidence_is_verified_and_shown(light: LightInstall, evidence: Path, tmp_path: Path, name: str) -> None:
    anchor = ("--anchor", evidence / "anchor.json")
    genuine = light.run("xacbe", "estamp", "verify", evidence / name, *anchor)
    assert genuine.returncode == 0, genuine.stdout + genuine.stderr
    head = "request.http" if name.startswith("request") else "answer.http"
    container = (evidence / name).read_bytes()
    (tmp_path / name).write_bytes(rebuilt(container, {head: flipped(entry_of(container, head), -4)}))
    broken = light.run("xacbe", "estamp", "verify", tmp_path / name, *anchor)
    assert broken.returncode == 1
    assert "content-changed" in broken.stdout + broken.stderr
    shown = light.run("xacbe", "estamp", "show", evidence / name)
    assert (shown.returncode, CLIENT in shown.stdout) == (0, True)


def test_a_call_from_the_command_line(light: LightInstall, instance: RunningInstance) -> None:
    call = ("call", SERVICE, "-p", PLATE, "--gateway", instance.url(), "--client")
    answered = light.run("xacbe", *call, CLIENT)
    assert (answered.returncode, '"UTR-123-A"' in answered.stdout) == (0, True), answered.stderr
    refused = light.run("xacbe", *call, WITHOUT_RIGHT)
    assert (refused.returncode, "access-denied" in refused.stderr) == (1, True)


@pytest.mark.parametrize("command", [("demo", "--once"), ("tsa", "serve", "--config", "x.toml")])
def test_commands_that_serve_say_that_server_packages_are_missing(
    light: LightInstall, command: tuple[str, ...]
) -> None:
    (light.elsewhere / "x.toml").touch()
    done = light.run("xacbe", *command)
    assert done.returncode == 3
    assert "needs the server packages" in done.stderr
    assert "xacbe[server]" in done.stderr
    assert "Traceback" not in done.stderr
    assert light.run("xacbe", command[0], "--help").returncode == 0
