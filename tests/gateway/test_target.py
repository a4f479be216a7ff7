"""The path of a call: what it names, and which paths are refused before anything is done with them."""

import pytest

from estamp.identifiers import ServiceId
from gateway.faults import Fault, Place
from gateway.target import read_target

SERVICE = "/r1/QROO/EST/SSP/vehiculos/placas"


def test_rest_and_query_are_kept_byte_for_byte() -> None:
    target = read_target(f"{SERVICE}/a%2Fb//c%20d/?x=%2e%2e&y=../z", Place.CONSUMER)
    assert target.service == ServiceId("QROO", "EST", "SSP", "vehiculos", "placas")
    assert target.path == "/a%2Fb//c%20d/"
    assert target.query == "?x=%2e%2e&y=../z"


def test_identifier_pieces_are_decoded_one_by_one() -> None:
    target = read_target("/r1/QROO/EST/S%2FP/veh%C3%ADculos/placas", Place.PROVIDER)
    assert target.service == ServiceId("QROO", "EST", "S/P", "vehículos", "placas")
    assert (target.path, target.query) == ("", "")


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../admin",
        "/a/../../admin",
        "/.",
        "/%2e%2e/admin",
        "/%2E./admin",
        "/.%2e",
        "/..%2fadmin",
        "/a%2f..%2fadmin",
        "/..;/admin",
        "/..;x=1/admin",
        "/%2e%2e%3b/admin",
        "/..\\admin",
        "/..%5cadmin",
        "/a%5c..",
        "/a%00b",
        "/a%0d%0aHost:evil",
        "/a%7f",
        "/%",
        "/%2",
        "/%zz",
    ],
)
@pytest.mark.parametrize("place", [Place.CONSUMER, Place.PROVIDER])
def test_path_that_may_escape_the_service_s_address_is_refused(path: str, place: Place) -> None:
    with pytest.raises(Fault) as refused:
        read_target(SERVICE + path, place)
    assert refused.value.reason == "path-escapes"
    assert refused.value.place is place


@pytest.mark.parametrize(
    ("target", "reason", "fault_type"),
    [
        ("/", "path-malformed", "Client.BadRequest"),
        ("/r1/QROO/EST/SSP/vehiculos", "path-malformed", "Client.BadRequest"),
        ("/r2/QROO/EST/SSP/vehiculos/placas", "version-unsupported", "Client.InvalidProtocolVersion"),
        ("/r1/QROO/../SSP/vehiculos/placas", "identifier-malformed", "Client.InvalidClientIdentifier"),
        ("/r1/QROO//SSP/vehiculos/placas", "identifier-malformed", "Client.InvalidClientIdentifier"),
        ("/r1/QROO/EST/%ff/vehiculos/placas", "identifier-malformed", "Client.InvalidClientIdentifier"),
        ("/r1/QROO/EST/SSP/vehiculos/%2e%2e", "identifier-malformed", "Client.InvalidClientIdentifier"),
    ],
)
def test_target_that_names_no_service_is_refused(target: str, reason: str, fault_type: str) -> None:
    with pytest.raises(Fault) as refused:
        read_target(target, Place.CONSUMER)
    assert (refused.value.reason, refused.value.type) == (reason, fault_type)
