"""The demo's processes: started in sessions of their own, watched, and never left behind."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

_LAST_LINES = 12
_POLL_SECONDS = 0.05
_STOP_SECONDS: Final = 12.0
"""How long the processes may take to drain before they are killed."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_the_demo() -> None:
    # Linux tells a process when its parent is gone, also after a kill -9, so that nothing keeps the ports.
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ProcessDiedError(Exception):
    """A process of the demo ended by itself."""

    def __init__(self, process: "Process") -> None:
        code = process.handle.returncode
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = "\n".join(f"    {line}" for line in process.last_lines())
        self.reason = "process-died"
        self.message = f"The process '{process.name}' {how}. Its last words:\n{lines}\n"
        self.advice = f"The whole log is {process.log}; with --directory you choose where it is kept."
        super().__init__(self.message)


class NotReadyError(Exception):
    """Some processes run, but did not become ready in time."""

    def __init__(self, waiting: Mapping[str, str], seconds: float) -> None:
        states = "\n".join(f"    {name}: {state}" for name, state in waiting.items())
        self.reason = "not-ready"
        self.message = f"Not ready after {seconds:.0f} seconds:\n{states}\n"
        self.advice = "See the logs in the demo's folder; a slow machine may just need another try."
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Process:
    """One running process; ``ready`` is the address that answers 200 once it can work."""

    name: str
    handle: "subprocess.Popen[bytes]"
    log: Path
    ready: str

    def last_lines(self) -> list[str]:
        """The end of what it wrote."""
        return self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]


@dataclass(slots=True)
class Processes:
    """All processes of one demo. Use :func:`supervised` to make one, so that none outlives it."""

    logs: Path
    running: list[Process] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], *, ready: str) -> Process:
        """Start a process that logs into a file of its own; ``ready`` is its health address."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            handle = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the demo, which then stops the others in their order.
                start_new_session=True,
                preexec_fn=_die_with_the_demo,  # safe, because the demo has no threads
            )
        process = Process(name, handle, log, ready)
        self.running.append(process)
        return process

    def check(self) -> None:
        """Raise ProcessDiedError when one of them has ended."""
        for process in self.running:
            if process.handle.poll() is not None:
                raise ProcessDiedError(process)

    def wait_until_ready(self, seconds: float, tell: Callable[[Mapping[str, str]], None]) -> None:
        """Wait for every process; ``tell`` is given the state of each, again and again ("ready" at last).

        Raises ProcessDiedError and NotReadyError.
        """
        states = {process.name: "starting" for process in self.running}
        deadline = time.monotonic() + seconds
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while True:
                self.check()
                for process in self.running:
                    if states[process.name] != "ready":
                        states[process.name] = _state(client, process.ready)
                tell(states)
                waiting = {name: state for name, state in states.items() if state != "ready"}
                if not waiting:
                    return
                if time.monotonic() > deadline:
                    raise NotReadyError(waiting, seconds)
                time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop all: SIGTERM, time to drain, SIGKILL. Those started last go first."""
        for process in reversed(self.running):
            if process.handle.poll() is None:
                process.handle.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self.running:
            try:
                process.handle.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._kill(process)
            except KeyboardInterrupt:
                # Asked twice: whoever sits there does not want to wait.
                deadline = 0.0
                self._kill(process)

    @staticmethod
    def _kill(process: Process) -> None:
        # Its whole session, so that workers of its own go with it.
        os.killpg(process.handle.pid, signal.SIGKILL)
        process.handle.wait()


def _state(client: httpx.Client, address: str) -> str:
    try:
        answer = client.get(address)
    except httpx.TransportError:
        return "starting"
    if answer.status_code == httpx.codes.OK:
        return "ready"
    return _reasons(answer) or f"health check answers {answer.status_code}"


def _reasons(answer: httpx.Response) -> str:
    """What a health answer says is missing: the reasons of its checks that do not hold."""
    try:
        return "; ".join(f"{check['name']}: {check['reason']}" for check in answer.json()["checks"] if not check["ok"])
    except (ValueError, KeyError, TypeError):
        return ""


@contextmanager
def supervised(logs: Path) -> Iterator[Processes]:
    """Processes that are stopped when the block ends, however it ends; SIGTERM and SIGHUP end it like Ctrl-C."""
    processes = Processes(logs)
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield processes
    finally:
        try:
            processes.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
