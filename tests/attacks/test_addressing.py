"""Whom a call names: unknown and foreign members, services and servers, and missing rights, at both gateways."""

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.further_members import THIRD, THIRD_CLIENT, THIRD_SERVICE
from tests.attacks.hostile_consumer import MIRROR, Traces
from tests.attacks.refused_answers import faulty
from tests.running_instance import CONSUMER, PROVIDER, WITHOUT_RIGHT

SERVER = "X-Road-Security-Server"
UNKNOWN = "UnknownMember"
BAD_IDENTIFIER = "Client.InvalidClientIdentifier"


@pytest.mark.parametrize(
    ("service", "headers", "code", "reason"),
    [
        ("QROO/EST/NADIE/vehiculos/placas", {}, UNKNOWN, "provider-unknown"),
        ("OTRO/EST/SSP/vehiculos/placas", {}, UNKNOWN, "provider-unknown"),
        ("QROO/EST/SSP/otro/placas", {}, UNKNOWN, "provider-unknown"),
        (f"{THIRD_CLIENT}/x", {SERVER: "QROO/EST/SSP/gw1"}, "InvalidSecurityServer", "server-unknown"),
        ("QROO/MUN/TULUM/nadie/x", {}, UNKNOWN, "provider-unknown"),
        (MIRROR, {SERVER: "QROO/EST/SSP/gw9"}, "InvalidSecurityServer", "server-unknown"),
        (MIRROR, {SERVER: f"{THIRD}/gw1"}, "InvalidSecurityServer", "server-unknown"),
        (MIRROR, {"X-Road-Client": "QROO/MUN/NADIE/x"}, UNKNOWN, "client-unknown"),
        (MIRROR, {"X-Road-Client": "QROO/MUN/BENITO-JUAREZ/otro"}, UNKNOWN, "client-unknown"),
        (MIRROR, {"X-Road-Client": THIRD_CLIENT}, UNKNOWN, "client-not-hosted"),
        (MIRROR, {"X-Road-Client": "QROO/EST/SSP/vehiculos"}, UNKNOWN, "client-not-hosted"),
        (MIRROR, {"X-Road-Client": "QROO/MUN"}, BAD_IDENTIFIER, "identifier-malformed"),
        (MIRROR, {"X-Road-Client": "../../../.."}, BAD_IDENTIFIER, "identifier-malformed"),
        (MIRROR, {SERVER: "QROO/EST"}, BAD_IDENTIFIER, "identifier-malformed"),
        (MIRROR, {"X-Road-Represented-Party": "a/b/c/d"}, BAD_IDENTIFIER, "identifier-malformed"),
    ],
)
def test_consumer_gateway_sends_nothing(
    scene: Scene, service: str, headers: dict[str, str], code: str, reason: str
) -> None:
    before = Traces.of(scene.consumer), len(scene.provider.got)
    told = faulty(scene.instance.call("x", service=service, headers=headers))
    prefix = "" if code.startswith("Client.") else "Server.ClientProxy."
    assert told.what == (prefix + code, reason, "consumer gateway")
    assert (Traces.of(scene.consumer), len(scene.provider.got)) == before
    assert scene.instance.refusals(CONSUMER, "id = (select max(id) from refusal)")[0]["reason"] == reason


@pytest.mark.parametrize(
    ("service", "headers", "code", "reason"),
    [
        ("QROO/EST/NADIE/vehiculos/x", (), UNKNOWN, "provider-not-hosted"),
        (THIRD_SERVICE, (), UNKNOWN, "provider-not-hosted"),
        ("OTRO/EST/SSP/vehiculos/espejo", (), UNKNOWN, "provider-not-hosted"),
        ("QROO/EST/SSP/otro/espejo", (), UNKNOWN, "provider-not-hosted"),
        (MIRROR, ((SERVER, "QROO/EST/SSP/gw9"),), "InvalidSecurityServer", "server-not-this"),
        (MIRROR, ((SERVER, f"{THIRD}/gw1"),), "InvalidSecurityServer", "server-not-this"),
    ],
)
def test_provider_gateway_refuses_what_is_not_for_it(
    scene: Scene, service: str, headers: tuple[tuple[str, str], ...], code: str, reason: str
) -> None:
    scene.consumer.refused(scene.consumer.request(service=service, headers=headers).container(), code, reason)


def test_provider_gateway_refuses_an_answer_sent_as_a_request(scene: Scene) -> None:
    # The provider's own answer to a true request, stamped and valid, sent back to it by who got it.
    answer = scene.consumer.accepted(scene.consumer.request().container()).body
    scene.consumer.refused(answer, "InvalidMessage", "direction-wrong")


@pytest.mark.parametrize(
    ("service", "client", "code", "reason"),
    [
        ("QROO/EST/SSP/vehiculos/nada", None, "UnknownService", "service-unknown"),
        ("QROO/EST/SSP/vehiculos/espejo%2Fplacas", None, "UnknownService", "service-unknown"),
        ("QROO/EST/SSP/vehiculos/ESPEJO", None, "UnknownService", "service-unknown"),
        (MIRROR, WITHOUT_RIGHT, "AccessDenied", "access-denied"),
    ],
)
def test_accepted_request_that_may_not_be_served_gets_a_stamped_fault(
    scene: Scene, service: str, client: str | None, code: str, reason: str
) -> None:
    calls = len(scene.service.seen)
    made = scene.consumer.request(service=service, client=client).container()
    head, body = scene.consumer.send(made).stamped(scene.instance.anchor)
    assert head.get("x-road-error") == f"Server.ServerProxy.{code}"
    assert body is not None
    assert f'"reason": "{reason}"'.encode() in body
    assert len(scene.service.seen) == calls
    (answer,) = scene.instance.entries(PROVIDER, "direction = 'answer' and id = (select max(id) from entry)")
    assert (answer["fault_type"], answer["fault_reason"]) == (f"Server.ServerProxy.{code}", reason)
    called = scene.instance.call("x", service=service, client=client or scene.consumer.client)
    assert faulty(called).what == (f"Server.ServerProxy.{code}", reason, "provider gateway")
