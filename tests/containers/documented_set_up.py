"""The set-up that certs/README.md documents, run from its very lines."""

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.containers.composed_processes import ComposedProcesses, programs

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documented_blocks(readme: Path) -> dict[str, str]:
    """The README's blocks of shell lines: how `run` and `address` are in containers and without, the steps, a call."""
    names = ("in containers", "without containers", "steps", "call")
    return dict(zip(names, _BLOCK.findall(readme.read_text(encoding="utf-8")), strict=True))


def set_up(readme: Path, processes: ComposedProcesses) -> None:
    """Perform the steps in the processes' folder, each command with the variables of the service that it is run in.

    `run` and `address` do here what `docker compose run` and the names of the network do.
    """
    cases = "".join(
        f'{name}) env {_assignments(processes.environment(name))} "$@" ;;\n' for name in processes.addresses
    )
    addresses = "".join(f"{name}) echo {address} ;;\n" for name, address in processes.addresses.items())
    functions = (
        f'run() {{ service=$1; shift; case "$service" in\n{cases}*) exit 64 ;; esac; }}\n'
        f'address() {{ case "$1" in\n{addresses}*) exit 64 ;; esac; }}\n'
    )
    done = subprocess.run(
        ["sh", "-eu", "-c", functions + documented_blocks(readme)["steps"]],
        cwd=processes.folder,
        env={"PATH": programs()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def _assignments(variables: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
