"""Entries for the query log's tests, and a process that writes them until it is killed."""

import asyncio
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.log_entries import Direction, LogEntry, Refusal, Side
from gateway.query_log import QueryLog
from service_runtime.database import open_engine

CLIENT = "QROO/MUN/BENITO-JUAREZ/patrullas"


def entry(direction: Direction = Direction.REQUEST, request_id: str | None = None, **changes: Any) -> LogEntry:
    """An entry of the provider's side, with what a test changes."""
    values: dict[str, Any] = {
        "at": datetime.now(UTC),
        "instance": "QROO",
        "side": Side.PROVIDER,
        "direction": direction,
        "client": CLIENT,
        "service": "QROO/EST/SSP/vehiculos/placas",
        "message_id": "message-1",
        "request_id": request_id or str(uuid.uuid4()),
        "security_server": "QROO/EST/SSP/gw1",
        "peer_server": "QROO/MUN/BENITO-JUAREZ/gw1",
        "signer_fingerprint": "ab" * 32,
        "container": b"container",
    }
    return LogEntry(**(values | changes))


def refusal(**changes: Any) -> Refusal:
    """A refusal at the provider's side."""
    values: dict[str, Any] = {
        "at": datetime.now(UTC),
        "side": Side.PROVIDER,
        "place": "provider-gateway",
        "reason": "signature-invalid",
        "type": "Server.ServerProxy.SignatureVerification",
        "detail": "The signature does not hold.",
    }
    return Refusal(**(values | changes))


async def write_until_killed(database: Path) -> None:
    """Record exchanges from eight tasks; print a request id once its request and answer are acknowledged."""
    log = QueryLog(open_engine(f"sqlite:///{database}"))
    log.start()

    async def exchange() -> None:
        while True:
            request_id = str(uuid.uuid4())
            await log.record_request(entry(request_id=request_id, container=b"q" * 9000))
            await log.record_answer(entry(Direction.ANSWER, request_id, container=b"a" * 9000))
            sys.stdout.write(f"{request_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(exchange() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(write_until_killed(Path(sys.argv[1])))
