"""`xacbe demo`: a whole instance on this machine, and one stamped exchange through it."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from rich.console import Console

from member_sdk import Gateway
from xacbe.demo_ports import CONSUMER, HIGHEST_BASE, Ports
from xacbe.failures import FAILED

PLATE = "UTR-123-A"
_READY_SECONDS = 60.0
_WATCH_SECONDS = 0.5


@click.command()
@click.option("--once", is_flag=True, help="End after the call instead of staying until Ctrl-C.")
@click.option(
    "--evidence",
    type=click.Path(file_okay=False, path_type=Path),
    help="Leave the evidence and what verifies it in this folder (default: evidence/ in the demo's folder).",
)
@click.option(
    "--port-base",
    type=click.IntRange(0, HIGHEST_BASE),
    default=0,
    help="Added to every port: with 20000, the gateway listens on 28080 instead of 8080. Above about 23000, "
    "ports may be taken at any time by outgoing connections.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo keeps its keys, databases and logs: a new or empty folder (default: a fresh temporary one).",
)
def demo(once: bool, evidence: Path | None, port_base: int, directory: Path | None) -> int:
    """Start a whole instance on this machine, on loopback, and make a call through it.

    Registry, time-stamping authority, status responder, two gateways and a register of vehicles, each as a process
    of its own. The municipality asks the register for a plate; the answer and its evidence are shown, check by check.
    The demo then stays until Ctrl-C, for calls of your own. It is no production set-up.

    \b
    Exit codes:
      0    answer and evidence are valid; without --once, also after Ctrl-C
      1    the call was refused, or answer or evidence are not valid
      2    --directory is not empty
      3    a port is taken, a file cannot be written, or a process did not become ready or died
      130  interrupted before it was ready
    """
    # Here, so that help works in the light install; the first one finds a missing server package before anything runs.
    import central_registry.administration  # noqa: F401
    from xacbe.demo_files import CLIENT, SERVICE, WITHOUT_RIGHT
    from xacbe.demo_processes import supervised
    from xacbe.demo_setup import Setup
    from xacbe.demo_view import Progress, print_answer, print_directions, print_proof, print_warning

    ports = Ports(port_base)
    ports.require_free()
    with _folder(directory) as folder, supervised(folder / "logs") as processes:
        setup = Setup(folder, ports)
        evidence = (evidence or folder / "evidence").absolute()
        with Progress() as progress:
            progress.step(f"Everything of this demo is in {folder}")
            setup.start(processes, progress.step)
            processes.wait_until_ready(_READY_SECONDS, progress.states)
            progress.step("All processes are ready")
        out = Console()
        with Gateway(ports.information_systems(CONSUMER).url, CLIENT) as gateway:
            answer = gateway.call(SERVICE, PLATE)
            print_answer(out, answer)
            proof = answer.evidence()
        setup.leave_evidence(proof, evidence)
        valid = print_proof(out, proof.verify(evidence / "anchor.json"), evidence)
        code = 0 if valid and not answer.service_error else FAILED
        if once:
            print_warning(Console(stderr=True))
            return code
        target = answer.call.target
        directions = {
            "Ask for yourself": (CLIENT, target),
            "The same question without the right to ask, which the provider refuses": (WITHOUT_RIGHT, target),
        }
        try:
            print_directions(out, ports, directions)
            print_warning(Console(stderr=True))
            click.echo("Stop with Ctrl-C.", err=True)
            while True:
                processes.check()
                time.sleep(_WATCH_SECONDS)
        except KeyboardInterrupt:
            click.echo("Stopping.", err=True)
    return code


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    """The demo's own folder, for this user alone; raises click.UsageError when it is not empty.

    Of a temporary one only the evidence stays, and after an error the logs: keys are not left lying about.
    """
    if directory is not None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise click.UsageError(f"--directory {directory} is not empty; name a new folder, nothing is overwritten.")
        yield directory.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="xacbe-demo-"))
    kept = {"evidence", "logs"}
    try:
        yield folder
        kept.remove("logs")
    finally:
        for entry in folder.iterdir():
            if entry.name not in kept:
                shutil.rmtree(entry)
        with suppress(OSError):
            folder.rmdir()
