"""The built wheel alone, away from the source tree, runs the demo: nothing that it needs was left out."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.built_wheel import build_wheel
from tests.xacbe.running_demo import free_ports


def test_the_demo_runs_from_the_wheel(project_root: Path, tmp_path: Path) -> None:
    wheel = build_wheel(project_root, tmp_path)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(installed), "TMPDIR": str(elsewhere)}
    where = subprocess.run(
        [sys.executable, "-c", "import xacbe, examples.vehicles as v; print(xacbe.__file__, v.__file__)"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.count(str(installed)) == 2
    done = subprocess.run(
        [sys.executable, "-m", "xacbe", "demo", "--once", "--port-base", str(free_ports().base)],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "exchange: VALID" in done.stdout
