"""A small service in its own process, for tests of signals: ``python sample_service.py PORT MANAGEMENT_PORT DRAIN``.

``GET /slow?SECONDS`` answers after that time; everything else at once. It prints what happens to it on stdout.
"""

import asyncio
import sys
from typing import Any

from service_runtime.errors import ServiceError
from service_runtime.health import Health
from service_runtime.logs import configure_logs
from service_runtime.serving import Listener, run, serve


def say(text: str) -> None:
    """Tell the test."""
    print(text, flush=True)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The application."""
    if scope["path"] == "/slow":
        say("slow begun")
        await asyncio.sleep(float(scope["query_string"]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def work() -> None:
    """A background task."""
    try:
        await asyncio.Event().wait()
    finally:
        say("background cancelled")


async def clean_up() -> None:
    """The last hook."""
    say("stop hook")


async def broken_hook() -> None:
    """A hook that fails, which must not keep the next from running."""
    raise RuntimeError("broken hook")


def main() -> int:
    """Serve until told to stop."""
    port, management_port, drain = sys.argv[1:4]
    configure_logs("sample")
    health = Health("sample")
    listeners = [
        Listener(answer, "127.0.0.1", int(port), name="systems", setting="systems.port"),
        Listener(
            health, "127.0.0.1", int(management_port), name="management", setting="management.port", closes_last=True
        ),
    ]
    ready = serve(
        listeners,
        background=[work],
        drain_seconds=float(drain),
        ready=lambda: say(f"ready {listeners[0].address[1]} {listeners[1].address[1]}"),
        on_drain=[health.announce_draining],
        on_stop=[broken_hook, clean_up],
    )
    try:
        run(ready)
    except ServiceError as error:
        say(f"{error.reason}: {error}")
        return 1
    say("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
