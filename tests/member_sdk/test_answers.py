"""Answers are handed through, faults become typed exceptions, and what never arrived says what is known."""

import gzip
import json
import socket

import pytest

from member_sdk import (
    AccessDenied,
    AsyncGateway,
    EvidenceFault,
    Gateway,
    GatewayFault,
    GatewayTimeout,
    GatewayUnreachable,
    InvalidRequest,
    NetworkFault,
    NotAuthenticated,
    ServiceFailed,
    TimeoutFault,
    UnknownMember,
    UnknownService,
)
from tests.member_sdk.gateway_on_a_socket import GatewayOnASocket
from tests.stamped_exchanges import CLIENT, SERVICE


@pytest.mark.parametrize("status", [200, 204, 302, 404, 409, 500, 503])
def test_a_services_own_status_is_an_answer(gateway: Gateway, server: GatewayOnASocket, status: int) -> None:
    body = b"" if status == 204 else b'{"a": "\xc3\xb1"}'
    server.will_answer(status, (("X-Road-Request-Id", "r1"), ("X-Road-Id", "m1"), ("Location", "/x")), body)
    answer = gateway.call(SERVICE)
    assert (answer.status_code, answer.content, answer.service_error) == (status, body, status >= 400)
    assert (answer.message_id, answer.request_id) == ("m1", "r1")
    if body:
        assert (answer.json(), answer.text) == ({"a": "ñ"}, '{"a": "ñ"}')


def test_a_compressed_answer_is_read_and_its_stamped_bytes_are_kept(gateway: Gateway, server: GatewayOnASocket) -> None:
    packed = gzip.compress(b'{"a":1}')
    server.will_answer(200, (("Content-Encoding", "gzip"), ("Content-Type", "application/json")), packed)
    answer = gateway.call(SERVICE)
    assert (answer.json(), answer.raw) == ({"a": 1}, packed)


@pytest.mark.parametrize(
    ("fault_type", "reason", "kind"),
    [
        ("Server.ServerProxy.AccessDenied", "access-denied", AccessDenied),
        ("server.serverproxy.access_denied", None, AccessDenied),
        ("Server.ClientProxy.SslAuthenticationFailed", None, NotAuthenticated),
        ("Server.ClientProxy.UnknownMember", None, UnknownMember),
        ("Server.ServerProxy.UnknownService", None, UnknownService),
        ("Server.ServerProxy.ServiceDisabled", None, UnknownService),
        ("Server.ServerProxy.ServiceFailed.HttpError", None, ServiceFailed),
        ("Server.ServerProxy.ServiceFailed.NetworkError", None, ServiceFailed),
        ("Server.ServerProxy.NetworkError", None, NetworkFault),
        ("Server.ServerProxy.NetworkError", "service-timeout", TimeoutFault),
        ("Server.ServerProxy.ServiceFailed", "service-timed-out", TimeoutFault),
        ("Server.ClientProxy.LoggingFailed.TimestamperFailed", None, EvidenceFault),
        ("Server.ServerProxy.SignatureVerification", "signature-invalid", EvidenceFault),
        ("Client.MissingHeader", None, InvalidRequest),
        ("Client.SomethingNew", None, InvalidRequest),
        ("Server.ClientProxy.OutdatedGlobalConf", None, GatewayFault),
    ],
)
def test_a_fault_is_raised_as_what_it_is(
    gateway: Gateway, server: GatewayOnASocket, fault_type: str, reason: str | None, kind: type[GatewayFault]
) -> None:
    body = {
        "type": fault_type,
        "message": "no right",
        "detail": "log-17",
        "place": "provider-gateway",
        "reason": reason,
        "advice": "ask for it",
        "retryable": True,
    }
    server.will_answer(500, (("X-Road-Error", fault_type),), json.dumps(body).encode())
    with pytest.raises(GatewayFault) as caught:
        gateway.call(SERVICE, message_id="m7")
    fault = caught.value
    assert type(fault) is kind
    assert (fault.type, fault.reason, fault.message) == (fault_type, reason or fault_type, "no right")
    assert (fault.place, fault.advice, fault.detail) == ("provider-gateway", "ask for it", "log-17")
    assert (fault.retryable, fault.status_code, fault.message_id) == (True, 500, "m7")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<error><type>t</type><message>no right</message><detail>d</detail></error>", "no right"),
        (
            b'<!DOCTYPE e [<!ENTITY a "b">]><error><message>&a;</message></error>',
            "the gateway answered with the fault T",
        ),
        (b"not json", "the gateway answered with the fault T"),
        (b"[1]", "the gateway answered with the fault T"),
        (b'{"message": 7}', "the gateway answered with the fault T"),
        (b"", "the gateway answered with the fault T"),
    ],
)
def test_a_fault_whose_body_is_of_another_form_is_still_a_fault(
    gateway: Gateway, server: GatewayOnASocket, body: bytes, message: str
) -> None:
    server.will_answer(500, (("X-Road-Error", "T"),), body)
    with pytest.raises(GatewayFault) as caught:
        gateway.call(SERVICE)
    assert (caught.value.type, caught.value.message, caught.value.retryable) == ("T", message, False)
    assert caught.value.advice


def test_nobody_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Gateway(f"http://127.0.0.1:{port}", CLIENT) as gateway, pytest.raises(GatewayUnreachable) as caught:
        gateway.call(SERVICE)
    assert caught.value.reason == "gateway-unreachable"


def test_a_gateway_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Gateway(url, CLIENT, timeout=0.2) as gateway, pytest.raises(GatewayTimeout) as caught:
            gateway.call(SERVICE)
    assert caught.value.reason == "gateway-timeout"


def test_a_gateway_that_breaks_off(gateway: Gateway, server: GatewayOnASocket) -> None:
    server.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with pytest.raises(GatewayUnreachable) as caught:
        gateway.call(SERVICE)
    assert caught.value.reason == "gateway-connection-broken"


async def test_the_async_client_does_the_same(server: GatewayOnASocket) -> None:
    async with AsyncGateway(server.url, CLIENT, timeout=5) as gateway:
        server.will_answer(404, (("X-Road-Id", "m1"),), b"{}")
        answer = await gateway.call(SERVICE, "a%2Fb", query="x=1")
        assert (answer.status_code, answer.service_error, answer.message_id) == (404, True, "m1")
        assert server.request_line == f"GET /r1/{SERVICE}/a%2Fb?x=1 HTTP/1.1"
        server.will_answer(500, (("X-Road-Error", "Server.ServerProxy.AccessDenied"),), b"{}")
        with pytest.raises(AccessDenied):
            await gateway.call(SERVICE)
