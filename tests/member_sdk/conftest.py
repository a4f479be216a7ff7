"""What the SDK's tests share."""

from collections.abc import Iterator

import pytest

from member_sdk import Gateway
from tests.member_sdk.gateway_on_a_socket import GatewayOnASocket, gateway_on_a_socket
from tests.pki import TestPki
from tests.stamped_exchanges import CLIENT, Exchange


@pytest.fixture
def server() -> Iterator[GatewayOnASocket]:
    """A gateway that answers as it is told."""
    with gateway_on_a_socket() as server:
        yield server


@pytest.fixture
def gateway(server: GatewayOnASocket) -> Iterator[Gateway]:
    """The SDK, pointed at it."""
    with Gateway(server.url, CLIENT, timeout=5) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def exchange() -> Exchange:
    """One good exchange."""
    return Exchange(TestPki())
