"""Paths that would leave the service's base address, at the consumer's gateway and, stamped, at the provider's."""

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.hostile_consumer import MIRROR, Traces
from tests.attacks.told import read_fault, require_discreet
from tests.raw_http import exchange, request_bytes
from tests.running_instance import CLIENT, CONSUMER, PROVIDER

ESCAPING = (
    "/..",
    "/../",
    "/../placas/UTR-123-A",
    "/a/../../b",
    "/.",
    "/./a",
    "/%2e%2e/b",
    "/%2E%2E",
    "/.%2e/b",
    "/%2e./b",
    "/%2e",
    "/..;/b",
    "/..;x=1/b",
    "/..%3b/b",
    "/.;a",
    "/..%2fb",
    "/a%2f..%2fb",
    "/a%2F%2e%2e%2Fb",
    "/%2f..",
    "/..%5cb",
    "/a%5c..",
    "/a%5Cb",
    "/..\\b",
    "/a%00",
    "/a%0a",
    "/a%0d%0aX-Injected:1",
    "/a%09",
    "/a%7f",
    "/a%",
    "/a%2",
    "/a%zz",
    "/a%2/b",
)
"""Each means, to some server, a step up, a separator, or the end of something."""

HARMLESS = (
    "",
    "/",
    "//",
    "/a//b/",
    "/...",
    "/..a/b..",
    "/.well-known/x",
    "/%41%2Fb",
    "/%252e%252e/b",
    "/a;b=c",
    "/a?x=../..&y=%2e%2e/",
    "/%C3%A1?q=%20",
    "/~a!$&'()*+,;=:@",
    "/http://other.example/",
)
"""Each is passed on byte for byte: nothing on the way decodes, joins or tidies it."""

SERVICES = ("/r1/QROO/EST/SSP/vehiculos/..", "/r1/QROO/EST/SSP/vehiculos/%2e%2e", "/r1/QROO/EST/SSP/%2e/espejo")


@pytest.mark.parametrize("path", ESCAPING)
def test_consumer_gateway_refuses_escaping_path(scene: Scene, path: str) -> None:
    told = refused_by_consumer(scene, f"/r1/{MIRROR}{path}")
    assert told == ("Client.BadRequest", "path-escapes", "consumer gateway")


@pytest.mark.parametrize("path", ESCAPING)
def test_provider_gateway_refuses_escaping_path_that_a_registered_consumer_stamped(scene: Scene, path: str) -> None:
    scene.consumer.refused(scene.consumer.request(path).container(), "BadRequest", "path-escapes")


@pytest.mark.parametrize("path", HARMLESS)
def test_harmless_path_reaches_the_service_byte_for_byte(scene: Scene, path: str) -> None:
    expected = f"/espejo{path}"
    before = len(scene.service.seen)
    scene.consumer.accepted(scene.consumer.request(path).container())
    request = request_bytes("GET", f"/r1/{MIRROR}{path}", [("X-Road-Client", CLIENT)])
    assert exchange(scene.instance.url(), request).status == 200
    assert [each.target for each in scene.service.seen[before:]] == [expected, expected]


@pytest.mark.parametrize("target", SERVICES)
def test_escape_in_the_service_s_identifier_is_refused_by_both(scene: Scene, target: str) -> None:
    assert refused_by_consumer(scene, target) == (
        "Client.InvalidClientIdentifier",
        "identifier-malformed",
        "consumer gateway",
    )
    head = scene.consumer.head().replace(f"/r1/{MIRROR}/x".encode(), target.encode())
    container = scene.consumer.request(head=head).container()
    scene.consumer.refused(container, "InvalidClientIdentifier", "identifier-malformed")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/r2/QROO/EST/SSP/vehiculos/espejo", ("Client.InvalidProtocolVersion", "version-unsupported")),
        ("/r1/QROO/EST/SSP/vehiculos", ("Client.BadRequest", "path-malformed")),
        (f"//r1/{MIRROR}", ("Client.BadRequest", "path-malformed")),
        (f"/./r1/{MIRROR}", ("Client.BadRequest", "path-malformed")),
        (f"http://127.0.0.1/r1/{MIRROR}", ("Client.BadRequest", "path-malformed")),
        ("*", ("Client.BadRequest", "path-malformed")),
    ],
)
def test_consumer_gateway_refuses_other_targets(scene: Scene, target: str, told: tuple[str, str]) -> None:
    assert refused_by_consumer(scene, target) == (*told, "consumer gateway")


@pytest.mark.parametrize("target", [f"/r1/{MIRROR}/a#b", f"http://127.0.0.1/r1/{MIRROR}", f"/r1/{MIRROR}/a b", "*", ""])
def test_provider_gateway_refuses_targets_that_are_no_path(scene: Scene, target: str) -> None:
    head = scene.consumer.head().replace(f"/r1/{MIRROR}/x".encode(), target.encode())
    scene.consumer.refused(scene.consumer.request(head=head).container(), "InvalidRest", "head-malformed")


def refused_by_consumer(scene: Scene, target: str) -> tuple[str, str, str]:
    """Send this request target as it is; what the consumer's gateway tells, having sent nothing on."""
    before = Traces.of(scene.consumer), newest(scene)
    answer = exchange(scene.instance.url(), request_bytes("GET", target, [("X-Road-Client", CLIENT)]))
    require_discreet(repr(answer.headers).encode())
    told = read_fault(answer.body)
    assert (Traces.of(scene.consumer), newest(scene)) == before
    row = scene.instance.refusals(CONSUMER, "id = (select max(id) from refusal)")[0]
    assert (row["type"], row["reason"], row["place"]) == told.what
    assert answer.value("x-road-error") == told.type
    assert answer.status == 400
    return told.what


def newest(scene: Scene) -> int:
    """The number of the consumer's newest log entry."""
    rows = scene.instance.entries(CONSUMER, "id = (select max(id) from entry)")
    return int(rows[0]["id"]) if rows else 0


def test_nothing_ever_left_the_service_s_base_address(scene: Scene) -> None:
    assert all(each.target == "/espejo" or each.target[7] in "/?" for each in scene.service.seen)
    assert scene.instance.refusals(PROVIDER, "reason = 'internal-error'") == []
