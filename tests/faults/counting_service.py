"""A provider's own system that counts what reaches it, and misbehaves as its path says.

It runs in a thread of the test process, so that what it counted outlives every gateway that a test kills.
"""

import asyncio
import collections
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

REQUEST_ID = "x-road-request-id"
LARGE = 11 * 1024 * 1024
"""How long the answer at /large is, in bytes: more than a gateway takes by default."""


class CountingService:
    """Plain HTTP on a free port of 127.0.0.1.

    ``/now/...`` answers at once, ``/after/N/...`` after N milliseconds, ``/held/...`` once :meth:`release` was called.
    ``/half/...`` closes in the middle of its answer, ``/silent/...`` without one, ``/garbage/...`` answers what is not
    HTTP, ``/odd-status/...`` a status that no answer has, ``/large/...`` more than a gateway takes, with its length
    announced, ``/endless/...`` without.
    """

    def __init__(self) -> None:
        self.port = 0
        self._counted: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._held = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="counting-service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def counted(self) -> dict[str, int]:
        """How often each request id came."""
        with self._lock:
            return dict(self._counted)

    @property
    def total(self) -> int:
        """How many requests came."""
        return sum(self.counted.values())

    def hold(self) -> None:
        """Let requests to /held/ wait from now on."""
        self._held.clear()

    def release(self) -> None:
        """Answer all that wait at /held/, and those that come."""
        self._held.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                await reader.readexactly(int(headers.get("content-length", "0")))
                with self._lock:
                    self._counted[headers.get(REQUEST_ID, "")] += 1
                path = head[0].split(" ")[1]
                if not await self._answer(path, headers.get(REQUEST_ID, ""), writer):
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()

    async def _answer(self, path: str, request_id: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        how = path.split("/")[1]
        if how == "held":
            while not self._held.is_set():
                await asyncio.sleep(0.01)
        elif how == "after":
            await asyncio.sleep(int(path.split("/")[2]) / 1000)
        misbehaviour = _MISBEHAVIOURS.get(how)
        if misbehaviour is not None:
            await misbehaviour(writer)
            return False
        body = f'{{"path":"{path}","request":"{request_id}"}}'.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return True


async def _half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    await writer.drain()


async def _silent(_: asyncio.StreamWriter) -> None:
    return


async def _garbage(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01 this is no HTTP \r\n\r\n")
    await writer.drain()


async def _odd_status(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def _large(writer: asyncio.StreamWriter) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode() + bytes(LARGE))
    await writer.drain()


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(bytes(256 * 1024))
        await writer.drain()


_MISBEHAVIOURS: dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "half": _half,
    "silent": _silent,
    "garbage": _garbage,
    "odd-status": _odd_status,
    "large": _large,
    "endless": _endless,
}
