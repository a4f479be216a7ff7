"""Faults: X-Road's form, and what is taken over of a refusal that a peer wrote."""

import json
from xml.etree import ElementTree

import pytest

from gateway.fault_table import ROWS, SECTIONS
from gateway.faults import Fault, Place


def test_reasons_are_unique_and_every_row_advises() -> None:
    rows = [row for section in SECTIONS.values() for row in section]
    assert len(rows) == len(ROWS)
    assert all(row.advice.endswith(".") for row in rows)


@pytest.mark.parametrize(
    ("reason", "place", "fault_type", "status"),
    [
        ("client-missing", Place.CONSUMER, "Client.MissingHeader", 400),
        ("path-escapes", Place.PROVIDER, "Server.ServerProxy.BadRequest", 500),
        ("timestamping-failed", Place.CONSUMER, "Server.ClientProxy.LoggingFailed.TimestamperFailed", 500),
        ("access-denied", Place.PROVIDER, "Server.ServerProxy.AccessDenied", 500),
        ("service-broke-off", Place.SERVICE, "Server.ServerProxy.ServiceFailed.HttpError", 500),
        ("signature-invalid", Place.CONSUMER, "Server.ClientProxy.InvalidSignatureValue", 500),
    ],
)
def test_type_says_who_refused_and_the_status_is_one_of_two(
    reason: str, place: Place, fault_type: str, status: int
) -> None:
    fault = Fault(reason, "what happened", place, detail="id")
    assert (fault.type, fault.status) == (fault_type, status)
    told = json.loads(fault.to_json())
    assert told["type"] == fault_type
    assert told["place"] == place
    assert told["advice"] == ROWS[reason].advice


def test_xml_form_escapes_what_callers_wrote() -> None:
    fault = Fault("access-denied", "a <b> & c", Place.PROVIDER, detail="id")
    root = ElementTree.fromstring(fault.to_xml())
    assert [(child.tag, child.text) for child in root] == [
        ("type", "Server.ServerProxy.AccessDenied"),
        ("message", "a <b> & c"),
        ("detail", "id"),
    ]


def test_peer_s_refusal_is_taken_over() -> None:
    told = Fault("replayed", "used before", Place.PROVIDER, detail="id").to_json()
    fault = Fault.of_peer(told)
    assert fault is not None
    assert (fault.type, fault.reason, fault.place) == ("Server.ServerProxy.InvalidRequest", "replayed", Place.PROVIDER)
    assert (fault.message, fault.detail, fault.retryable) == ("used before", "id", False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"type": "Server.ServerProxy.AccessDenied"}',
        b'{"type": "<script>", "reason": "x"}',
        b'{"type": "Client.X\\r\\nSet-Cookie: a", "reason": "x"}',
        b'{"type": "Server.ServerProxy.AccessDenied", "reason": "Not A Code"}',
        b"\xff\xfe",
        b"[" * 10_000,
    ],
)
def test_what_is_no_refusal_is_not_taken_for_one(body: bytes) -> None:
    assert Fault.of_peer(body) is None


def test_peer_s_texts_are_bounded_and_printable_and_its_place_is_never_ours() -> None:
    body = json.dumps(
        {
            "type": "Server.ServerProxy.AccessDenied",
            "reason": "access-denied",
            "message": "x" * 10_000 + "\x1b[31m",
            "advice": ["no text"],
            "place": "consumer gateway",
            "retryable": "yes",
        }
    ).encode()
    fault = Fault.of_peer(body)
    assert fault is not None
    assert len(fault.message) == 500
    assert fault.advice == "Give the provider's administrator the reason and the detail."
    assert fault.place is Place.PROVIDER
    assert fault.retryable is False
