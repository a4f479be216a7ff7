"""docs/reference/faults.md, gateway/fault_table.py and the code that refuses name the same reasons."""

from gateway.fault_table import ROWS
from tests.docs.fault_sources import Raised, raised_by_estamp, raised_by_gateway, raised_by_stamping
from tests.docs.fault_tables import DOCUMENT, document_with, expected_tables

NO_CALLER_SEES = {
    "anchor-malformed": "a trust anchor is read at start or by `xacbe estamp`, never from a message",
    "catalogue-foreign-signer": "a published catalogue that is refused is logged; the one at hand stays",
    "feed-invalid": "the status feed is read by the responder alone",
    "feed-older": "as feed-invalid",
    "feed-other-instance": "as feed-invalid",
    "status-nonce": "an answer that was asked for; a refused one counts as status-unavailable",
    "timestamp-nonce": "an answer that was asked for; a refused one counts as timestamping-failed",
    "timestamp-refused": "as timestamp-nonce",
    "timestamp-unsupported-version": "a request to the TSA, which answers as RFC 3161 says",
}
"""Reasons of estamp/ without a row, and why none of them reaches a caller or a peer as a fault."""


def _without_row(raised: list[Raised]) -> list[str]:
    return [f"{each.reason} ({each.where})" for each in raised if each.reason not in ROWS]


def test_every_refusal_of_the_gateway_has_a_row() -> None:
    raised = raised_by_gateway()
    assert len(raised) > 50
    assert _without_row(raised) == []


def test_every_stamping_error_has_a_row() -> None:
    raised = raised_by_stamping()
    assert {each.reason for each in raised} >= {"timestamping-failed", "status-unavailable"}
    assert _without_row(raised) == []


def test_every_reason_that_a_verdict_may_have_has_a_row() -> None:
    raised = [each for each in raised_by_estamp() if each.reason not in NO_CALLER_SEES]
    assert len(raised) > 50
    assert _without_row(raised) == []


def test_what_is_said_to_be_unseen_has_no_row_and_is_raised() -> None:
    assert NO_CALLER_SEES.keys() & ROWS.keys() == set()
    assert NO_CALLER_SEES.keys() - {each.reason for each in raised_by_estamp()} == set()


def test_every_row_is_raised_somewhere() -> None:
    raised = {each.reason for each in (*raised_by_estamp(), *raised_by_stamping(), *raised_by_gateway())}
    assert sorted(ROWS.keys() - raised) == []


def test_the_document_shows_the_table() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == document_with(expected_tables(), document), "run: python -m tests.docs.fault_tables"
