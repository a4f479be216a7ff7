"""Several listeners in one process and one event loop: started together, drained together.

A service makes its `Listener`s and calls ``run(serve(listeners, …))``. All addresses are taken before anything starts,
so either all listen or none does. SIGTERM and SIGINT drain; a second signal ends the wait.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog
import uvloop

from service_runtime.errors import BackgroundTaskError
from service_runtime.listeners import Application, Listener

__all__ = ["Application", "Listener", "run", "serve"]

_LOG = structlog.get_logger("serving")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CANCEL_SECONDS = 5.0

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a new uvloop event loop and answer its result."""
    return uvloop.run(main)


async def serve(
    listeners: Sequence[Listener],
    *,
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    drain_seconds: float = 20.0,
    ready: Callable[[], None] | None = None,
    on_drain: Sequence[Callable[[], None]] = (),
    on_stop: Sequence[Callable[[], Awaitable[None]]] = (),
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain and return.

    `ready` is called when all listeners listen and the background tasks run. To stop: `on_drain` hooks are called, no
    connection is accepted any more, requests in flight get up to `drain_seconds` and are cancelled then; the listeners
    that close last follow; background tasks are cancelled; `on_stop` hooks run last, in order, each whatever the others
    do.

    A background task may end, but not with an error: that drains too, and raises BackgroundTaskError
    ``background-task-failed``. Raises ListenError, with nothing started, when an address cannot be taken.
    """
    stopping = stop or asyncio.Event()
    hurry = asyncio.Event()
    _bind_all(listeners)
    tasks: list[asyncio.Task[None]] = []
    with _signals_to(stopping, hurry):
        try:
            tasks += [asyncio.create_task(task(), name=_name(task)) for task in background]
            for listener in listeners:
                await listener.start()
                _LOG.info("listening", listener=listener.name, address=listener.url)
            if ready is not None:
                ready()
            await _until_stopped(stopping, tasks)
        finally:
            _LOG.info("draining", seconds=drain_seconds)
            for announce in on_drain:
                announce()
            for last in (False, True):
                await _stop_all([each for each in listeners if each.closes_last is last], drain_seconds, hurry)
            for task_running in tasks:
                task_running.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
            for hook in on_stop:
                try:
                    await hook()
                except Exception:
                    _LOG.exception("stop-hook-failed", hook=_name(hook))
            _LOG.info("stopped")


def _bind_all(listeners: Sequence[Listener]) -> None:
    bound: list[Listener] = []
    try:
        for listener in listeners:
            listener.bind()
            bound.append(listener)
    except BaseException:
        for listener in bound:
            listener.release()
        raise


async def _until_stopped(stopping: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(stopping.wait())
    running: set[asyncio.Task[Any]] = {waiting, *tasks}
    try:
        while not stopping.is_set():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                error = asyncio.CancelledError() if task.cancelled() else task.exception()
                if error is not None:
                    _LOG.error("background-task-failed", task=task.get_name(), exc_info=error)
                    raise BackgroundTaskError(
                        "background-task-failed",
                        f"The background task {task.get_name()} failed ({error!r}), and the service needs it.",
                        "See the log for its trace, then start the service again.",
                    ) from error
    finally:
        waiting.cancel()


async def _stop_all(listeners: Sequence[Listener], seconds: float, hurry: asyncio.Event) -> None:
    cut = await asyncio.gather(*(listener.stop(seconds, hurry) for listener in listeners))
    for listener, number in zip(listeners, cut, strict=True):
        if number:
            _LOG.warning("requests-cut-short", listener=listener.name, requests=number)


def _name(function: Callable[[], object]) -> str:
    return getattr(function, "__qualname__", repr(function))


@contextmanager
def _signals_to(stopping: asyncio.Event, hurry: asyncio.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def answer() -> None:
        (hurry if stopping.is_set() else stopping).set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, answer)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
