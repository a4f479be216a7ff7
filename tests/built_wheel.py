"""The wheel of this source tree, built as a release would be, from the files that are (or are about to be) in git."""

import subprocess
import sys
from pathlib import Path


def build_wheel(project_root: Path, folder: Path) -> Path:
    """Build the wheel into `folder` and return its path.

    From a copy, because a build leaves its traces in the source tree; and without an index, because what a build needs
    is locked and installed.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    source = folder / "source"
    for name in filter(None, listed.split("\0")):
        if (project_root / name).is_file() and not name.startswith(("tests/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((project_root / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    return wheel
