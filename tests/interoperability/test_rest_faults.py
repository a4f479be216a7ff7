"""X-Road's REST message protocol, faults: how the gateways themselves refuse, in status, header and body."""

import json
from xml.etree import ElementTree

import pytest

from tests.interoperability.echoing_instance import ECHO, EchoingInstance
from tests.raw_http import Pairs, RawAnswer, request_bytes
from tests.running_instance import CLIENT, CONSUMER, WITHOUT_RIGHT

JSON, XML = "application/json; charset=utf-8", "text/xml; charset=utf-8"
UNKNOWN = "QROO/EST/NADIE/nada/eco"


def told(answer: RawAnswer) -> tuple[int, str, str]:
    """Status, fault code and reason of a fault in JSON; header and body must agree."""
    body = json.loads(answer.body)
    assert answer.values("x-road-error") == [body["type"]]
    assert answer.value("content-type") == JSON
    assert all(isinstance(body[name], str) for name in ("message", "detail", "place", "advice"))
    assert isinstance(body["retryable"], bool)
    assert body["advice"]
    return answer.status, body["type"], body["reason"]


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        (f"/r1/{ECHO}", [], (400, "Client.MissingHeader", "client-missing")),
        (
            f"/r1/{ECHO}",
            [("X-Road-Client", "QROO/MUN")],
            (400, "Client.InvalidClientIdentifier", "identifier-malformed"),
        ),
        (f"/r2/{ECHO}", [("X-Road-Client", CLIENT)], (400, "Client.InvalidProtocolVersion", "version-unsupported")),
        ("/r1/QROO/EST/SSP/vehiculos", [("X-Road-Client", CLIENT)], (400, "Client.BadRequest", "path-malformed")),
        (f"/r1/{ECHO}/../x", [("X-Road-Client", CLIENT)], (400, "Client.BadRequest", "path-escapes")),
        (
            f"/r1/{ECHO}",
            [("X-Road-Client", CLIENT), ("X-Road-Id", "1"), ("x-road-id", "2")],
            (400, "Client.DuplicateHeaderField", "header-repeated"),
        ),
        (
            f"/r1/{ECHO}",
            [("X-Road-Client", "QROO/MUN/OTRO/nada")],
            (500, "Server.ClientProxy.UnknownMember", "client-unknown"),
        ),
        (f"/r1/{UNKNOWN}", [("X-Road-Client", CLIENT)], (500, "Server.ClientProxy.UnknownMember", "provider-unknown")),
        (
            f"/r1/{ECHO}",
            [("X-Road-Client", CLIENT), ("X-Road-Security-Server", "QROO/EST/SSP/gw9")],
            (500, "Server.ClientProxy.InvalidSecurityServer", "server-unknown"),
        ),
        (
            f"/r1/{ECHO}",
            [("X-Road-Client", WITHOUT_RIGHT)],
            (500, "Server.ServerProxy.AccessDenied", "access-denied"),
        ),
        (
            f"/r1/{ECHO}-no",
            [("X-Road-Client", CLIENT)],
            (500, "Server.ServerProxy.UnknownService", "service-unknown"),
        ),
    ],
)
def test_codes_that_begin_with_server_are_500_and_all_others_400(
    echo: EchoingInstance, target: str, headers: Pairs, expected: tuple[int, str, str]
) -> None:
    before = len(echo.service.seen)
    assert told(echo.send(request_bytes("GET", target, headers))) == expected
    assert len(echo.service.seen) == before


def test_method_that_the_protocol_does_not_know_is_refused(echo: EchoingInstance) -> None:
    assert told(echo.ask("/x", method="PROPFIND")) == (400, "Client.InvalidHttpMethod", "method-unsupported")


@pytest.mark.parametrize("accept", ["text/xml", "application/json, application/xml;q=0.9", "image/png, TEXT/*"])
@pytest.mark.parametrize("client", [None, WITHOUT_RIGHT])
def test_faults_are_xml_if_accept_lists_it(echo: EchoingInstance, accept: str, client: str | None) -> None:
    answer = echo.ask("/x", [("Accept", accept)], client=client)
    error = ElementTree.fromstring(answer.body)
    assert answer.value("content-type") == XML
    assert [each.tag for each in (error, *error)] == ["error", "type", "message", "detail"]
    assert error.findtext("type") == answer.value("x-road-error")
    assert error.findtext("message")


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", "application/xhtml+xml", ""])
@pytest.mark.parametrize("client", [None, WITHOUT_RIGHT])
def test_faults_are_json_otherwise(echo: EchoingInstance, accept: str, client: str | None) -> None:
    assert told(echo.ask("/x", [("Accept", accept)], client=client))[0] in (400, 500)


@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
def test_provider_s_fault_is_handed_over_as_it_was_signed(echo: EchoingInstance, accept: str) -> None:
    answer = echo.ask("/x", [("Accept", accept)], client=WITHOUT_RIGHT)
    signed = echo.signed(answer, "answer")
    assert signed["body"] == answer.body
    assert b"X-Road-Error:Server.ServerProxy.AccessDenied\r\n" in signed["answer.http"]


def test_detail_leads_to_the_logged_request(echo: EchoingInstance) -> None:
    answer = echo.ask("/x", client=WITHOUT_RIGHT)
    assert json.loads(answer.body)["detail"] == answer.value("x-road-request-id")
    unknown = json.loads(echo.ask("", service=UNKNOWN).body)
    (row,) = echo.instance.refusals(CONSUMER, "request_id = ?", unknown["detail"])
    assert (row["reason"], row["client"], row["service"]) == ("provider-unknown", CLIENT, UNKNOWN)


def test_fault_in_answer_to_head_has_status_and_header_alone(echo: EchoingInstance) -> None:
    for client, code in ((None, "Client.MissingHeader"), (WITHOUT_RIGHT, "Server.ServerProxy.AccessDenied")):
        answer = echo.ask("/x", method="HEAD", client=client)
        assert (answer.value("x-road-error"), answer.body) == (code, b"")
