"""The built wheel alone, away from the source tree, runs the demo: nothing that it needs was left out."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.xacbe.running_demo import free_ports


def test_the_demo_runs_from_the_wheel(project_root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    # From a copy, because a build leaves its traces in the source tree.
    source = tmp_path / "source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (project_root / name).is_file() and not name.startswith(("tests/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((project_root / name).read_bytes())
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
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
