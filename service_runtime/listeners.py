"""A listener: one address on which one ASGI application answers HTTP/1.1, with or without TLS."""

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from service_runtime.connections import Limits, MemberProtocol
from service_runtime.errors import ListenError

Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application: ``await application(scope, receive, send)``."""

_BACKLOG = 2048
_TLS_HANDSHAKE_SECONDS = 10.0
_TLS_SHUTDOWN_SECONDS = 5.0
_TICK_SECONDS = 0.5
_DRAIN_POLL_SECONDS = 0.02
_CANCEL_SECONDS = 5.0
_NO_LIMITS_SET = Limits()


class Listener:
    """One address and the ASGI application behind it; `service_runtime.serving.serve` starts and drains it.

    `name` is for people and logs; `setting` is the settings key that moves the port, named when it is busy. Port 0
    takes any free port (see `address`). `keep_alive_seconds` is how long an idle connection is kept; clients give up
    theirs earlier. `closes_last` is for the management listener: it keeps answering while the others drain.
    `date_header` says whether each answer gets a Date; without, the application sets its own.
    """

    def __init__(
        self,
        app: Application,
        host: str,
        port: int,
        *,
        name: str,
        setting: str,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits = _NO_LIMITS_SET,
        keep_alive_seconds: float = 75.0,
        closes_last: bool = False,
        date_header: bool = True,
    ) -> None:
        self.app = app
        self.host = host
        self.port = port
        self.name = name
        self.setting = setting
        self.ssl_context = ssl_context
        self.limits = limits
        self.keep_alive_seconds = keep_alive_seconds
        self.closes_last = closes_last
        self.date_header = date_header
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._state = ServerState()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; once bound, the port that was really taken."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The address as a URL, for people."""
        scheme = "http" if self.ssl_context is None else "https"
        return f"{scheme}://{self._where()}"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._state.connections)

    def close_connections(self, predicate: Callable[[bytes | None], bool], *, finish_answers: bool = False) -> int:
        """End the open connections whose TLS peer certificate (DER bytes or None) satisfies `predicate`; their number.

        They end at once, or with `finish_answers` after the answer being made. To be called in the event loop's thread.
        """
        chosen = [each for each in self._protocols() if predicate(each.peer_certificate)]
        for protocol in chosen:
            protocol.end(finish_answer=finish_answers)
        return len(chosen)

    def bind(self) -> None:
        """Take the address.

        Raises ListenError ``address-in-use``, ``address-not-permitted`` or ``address-unusable``.
        """
        taken: socket.socket | None = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            taken = socket.socket(family, kind, protocol)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            # Listening at once: two processes may bind the same free port and would collide only here.
            taken.listen(_BACKLOG)
            taken.setblocking(False)
        except OSError as error:
            if taken is not None:
                taken.close()
            raise self._listen_error(error) from error
        self._socket = taken
        self.port = int(taken.getsockname()[1])

    def release(self) -> None:
        """Give the address back, if it was taken."""
        if self._socket is not None:
            self._socket.close()

    async def start(self) -> None:
        """Begin to accept connections on the bound address."""
        assert self._socket is not None, "bind() comes first"
        config = uvicorn.Config(
            self.app,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            # The address that a request came from is the connection's, whatever X-Forwarded-For says.
            proxy_headers=False,
            # uvicorn's annotation says int; the value goes to loop.call_later, which takes any number.
            timeout_keep_alive=cast("int", self.keep_alive_seconds),
        )
        config.load()
        loop = asyncio.get_running_loop()
        self._tick()
        self._ticking = loop.create_task(self._keep_ticking(), name=f"{self.name} ticks")
        self._server = await loop.create_server(
            lambda: MemberProtocol(config, self._state, self.limits),
            sock=self._socket,
            ssl=self.ssl_context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=_TLS_HANDSHAKE_SECONDS if self.ssl_context else None,
            ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS if self.ssl_context else None,
        )

    async def stop(self, seconds: float, hurry: asyncio.Event) -> int:
        """Stop accepting, let answers being made finish for up to `seconds` or until `hurry` is set, cut the rest.

        Answers the number of requests that were cut short. Also gives back an address that was only bound.
        """
        if self._server is not None:
            self._server.close()
        self.release()
        busy = {each for each in self._protocols() if each.is_busy()}
        for protocol in self._protocols():
            # An idle connection is closed now, a busy one after its answer.
            protocol.shutdown()
        deadline = time.monotonic() + seconds
        while (self._state.tasks or busy & self._state.connections) and not hurry.is_set():
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        unfinished = set(self._state.tasks)
        for task in unfinished:
            task.cancel("the service is stopping")
        if unfinished:
            await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)
        for protocol in self._protocols():
            protocol.end(finish_answer=False)
        if self._ticking is not None:
            self._ticking.cancel()
        return len(unfinished)

    def _protocols(self) -> list[MemberProtocol]:
        return [each for each in self._state.connections if isinstance(each, MemberProtocol)]

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._tick()

    def _tick(self) -> None:
        # One look at all connections, instead of a timer per request, keeps the limits off the message path.
        if self.date_header:
            self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        now = asyncio.get_running_loop().time()
        for protocol in self._protocols():
            protocol.end_if_overdue(now)

    def _where(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _listen_error(self, error: OSError) -> ListenError:
        if error.errno == errno.EADDRINUSE:
            return ListenError(
                "address-in-use",
                f"The address {self._where()} of the listener for {self.name} is in use by another process.",
                f"Stop that process, or set {self.setting} to another port.",
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return ListenError(
                "address-not-permitted",
                f"User {os.geteuid()} may not take the address {self._where()} of the listener for {self.name}.",
                f"Set {self.setting} to a port above 1023.",
            )
        return ListenError(
            "address-unusable",
            f"The listener for {self.name} cannot take the address {self._where()}: {error.strerror}.",
            f"The host beside {self.setting} must be an address of this machine.",
        )
