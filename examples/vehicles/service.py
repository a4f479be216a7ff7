"""The register's HTTP interface, on the standard library alone: plain HTTP on loopback, as the gateway calls it.

``GET /placas/{plate}`` one vehicle; ``GET /placas[?estado=robado]`` a list; ``GET /health``. Errors are
``application/problem+json`` (RFC 9457).
"""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from examples.vehicles.register import STATES, Register


class _Problem(Exception):
    """An answer other than 200, and what its body explains."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def answer(register: Register, target: str) -> dict[str, Any]:
    """Return the JSON document for a request target such as ``/placas/UTR-123-A``; raises _Problem."""
    address = urlsplit(target)
    match address.path.split("/")[1:]:
        case ["health"]:
            return {"status": "ok"}
        case ["placas"]:
            state = parse_qs(address.query).get("estado", [None])[-1]
            if state is not None and state not in STATES:
                raise _Problem(HTTPStatus.BAD_REQUEST, f"estado is one of {', '.join(STATES)}")
            found = register.in_state(state)
            return {"total": len(found), "placas": found}
        case ["placas", piece] if piece:
            plate = unquote(piece)
            vehicle = register.find(plate)
            if vehicle is None:
                raise _Problem(HTTPStatus.NOT_FOUND, f"no vehicle with plate {plate} is registered")
            return vehicle
        case _:
            raise _Problem(HTTPStatus.NOT_FOUND, "ask for /placas, /placas/{plate} or /health")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Kept-alive connections send small answers in two writes; without this each waits for the other side's ACK.
    disable_nagle_algorithm = True
    server: "VehicleServer"

    def do_GET(self) -> None:
        try:
            self._send(HTTPStatus.OK, "application/json; charset=utf-8", answer(self.server.register, self.path))
        except _Problem as problem:
            self._send(
                problem.status,
                "application/problem+json",
                {"title": problem.status.phrase, "status": problem.status, "detail": problem.detail},
            )

    do_HEAD = do_GET

    def _refuse_method(self) -> None:
        # The body was not read, so this connection cannot carry another request.
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED
        detail = "this register is read with GET; nothing can be changed here"
        self._send(status, "application/problem+json", {"title": status.phrase, "status": status, "detail": detail})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method

    def _send(self, status: HTTPStatus, media_type: str, document: dict[str, Any]) -> None:
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: which plates are asked for belongs into the gateways' query logs, not on a terminal."""


class VehicleServer(ThreadingHTTPServer):
    """Answers from one register on one loopback port; ``serve_forever`` runs it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, register: Register) -> None:
        """Bind ``port`` (0 takes any free one) on 127.0.0.1; raises OSError when it is taken."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.register = register
