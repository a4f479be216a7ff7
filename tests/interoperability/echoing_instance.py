"""The running instance with one more service, which shows what arrives at it and answers what a test tells it to."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.echo_service import EchoService, echo_service
from tests.raw_http import Pairs, RawAnswer, exchange, request_bytes
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, RunningInstance, until
from xacbe.demo_files import PROVIDING_SUBSYSTEM

ECHO = f"{PROVIDING_SUBSYSTEM}/eco"
BASE_PATH = "/base"


@dataclass(frozen=True)
class EchoingInstance:
    """Calls of the echoing service, written as bytes, and what the query log kept of them."""

    instance: RunningInstance
    service: EchoService

    def ask(
        self,
        rest: str = "",
        headers: Pairs | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
        service: str = ECHO,
        client: str | None = CLIENT,
    ) -> RawAnswer:
        """Send a call; `rest` is what follows the service in the request target, path and query as they are."""
        named = [] if client is None else [("X-Road-Client", client)]
        request = request_bytes(method, f"/r1/{service}{rest}", named + (headers or []), body)
        return exchange(self.instance.url(), request)

    def send(self, request: bytes) -> RawAnswer:
        """Send these very bytes to the consumer's gateway."""
        return exchange(self.instance.url(), request)

    def logged(self, answer: RawAnswer, direction: str, *, gateway: str = CONSUMER) -> dict[str, object]:
        """The row that a query log has of one side of the call."""
        request_id = answer.value("x-road-request-id")
        (row,) = self.instance.entries(gateway, "request_id = ? and direction = ?", request_id, direction)
        return row

    def signed(self, answer: RawAnswer, direction: str) -> dict[str, bytes]:
        """What was signed of one side of the call: the container's files by name, read with Python's zipfile."""
        container = self.logged(answer, direction)["container"]
        assert isinstance(container, bytes)
        with zipfile.ZipFile(io.BytesIO(container)) as archive:
            return {name: archive.read(name) for name in archive.namelist() if "/" not in name and name != "mimetype"}


@contextmanager
def echoing(instance: RunningInstance) -> Iterator[EchoingInstance]:
    """Offer the echoing service beside the provider's own ones; the provider's configuration is put back at the end."""
    usual = (instance.state_of(PROVIDER).parent / "services.toml").read_text(encoding="utf-8")
    with echo_service() as service:
        more = f"""
[[services]]
subsystem = "{PROVIDING_SUBSYSTEM}"
code = "eco"
title = "Shows what arrives"
base_url = "{service.url}{BASE_PATH}"
timeout_seconds = 10.0
allowed = ["{CLIENT}"]
"""
        instance.apply(PROVIDER, usual + more)
        made = EchoingInstance(instance, service)
        try:
            until(lambda: made.ask().status == 200)
            service.seen.clear()
            yield made
        finally:
            instance.apply(PROVIDER, usual)
