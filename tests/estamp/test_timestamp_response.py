"""Answers of an authority: granted, refused, and not answers to this request."""

import hashlib
from datetime import UTC, datetime

import pytest
from asn1crypto import tsp

from estamp import der
from estamp.errors import TimestampError
from estamp.timestamp import Failure, make_failure, make_request, make_response, read_request, read_response
from tests.pki import TestPki

IMPRINT = hashlib.sha256(b"signature value").digest()
OTHER_IMPRINT = hashlib.sha256(b"another").digest()
NONCE = 2**64 - 1
TSA = TestPki().tsa


def answer(imprint: bytes = IMPRINT, nonce: int = NONCE) -> bytes:
    return make_response(
        read_request(make_request(imprint, nonce)),
        serial=7,
        time=datetime(2026, 11, 20, tzinfo=UTC),
        policy="2.999.1",
        certificate=TSA.certificate,
        chain=(),
        key=TSA.key,
    )


def refusal_of(encoded: bytes) -> TimestampError:
    with pytest.raises(TimestampError) as caught:
        read_response(encoded, imprint=IMPRINT, nonce=NONCE)
    return caught.value


def test_a_grant_hands_over_its_token() -> None:
    encoded = answer()
    response = tsp.TimeStampResp.load(encoded, strict=True)
    assert response["status"]["status"].native == "granted"
    assert read_response(encoded, imprint=IMPRINT, nonce=NONCE) == response["time_stamp_token"].dump()


def test_an_answer_to_another_request_is_refused() -> None:
    assert refusal_of(answer(imprint=OTHER_IMPRINT)).reason == "timestamp-other-signature"
    assert refusal_of(answer(nonce=NONCE - 1)).reason == "timestamp-nonce"


def test_an_answer_without_a_nonce_is_refused() -> None:
    request = read_request(der.sequence(*_without_nonce()))
    encoded = make_response(
        request,
        serial=7,
        time=datetime(2026, 11, 20, tzinfo=UTC),
        policy="2.999.1",
        certificate=TSA.certificate,
        chain=(),
        key=TSA.key,
    )
    assert refusal_of(encoded).reason == "timestamp-nonce"


def _without_nonce() -> list[bytes]:
    reader = der.Reader(make_request(IMPRINT, NONCE)).enter(der.SEQUENCE)
    version, imprint, _ = reader.whole(der.INTEGER), reader.whole(der.SEQUENCE), reader.integer()
    return [version, imprint, reader.whole(der.BOOLEAN)]


@pytest.mark.parametrize("failure", list(Failure))
def test_a_refusal_says_why_in_a_form_that_others_read(failure: Failure) -> None:
    encoded = make_failure(failure, "Tell me «más».")
    # asn1crypto does not know that a refusal has no token, so it is given the status alone.
    status = tsp.PKIStatusInfo.load(der.Reader(encoded).contents(der.SEQUENCE), strict=True)
    assert status["status"].native == "rejection"
    assert status["status_string"].native == ["Tell me «más»."]
    (name,) = status["fail_info"].native
    assert name.rstrip("s") == failure.name.lower().rstrip("s")
    # Named bits end with their last one (X.690 section 11.2.2).
    unused, *bits = status["fail_info"].contents
    assert len(bits) * 8 - unused == failure + 1
    assert bits[-1] == 1 << unused
    error = refusal_of(encoded)
    assert error.reason == "timestamp-refused"
    assert failure.standard_name in error.message
    assert "Tell me «más»." in error.message


def test_the_names_of_failures_are_the_standards() -> None:
    assert Failure.BAD_DATA_FORMAT.standard_name == "badDataFormat"
    assert Failure.TIME_NOT_AVAILABLE.standard_name == "timeNotAvailable"


def test_a_refusals_words_are_cleaned_and_cut() -> None:
    message = refusal_of(make_failure(Failure.BAD_ALG, "\x1b[31m\n" + "x" * 5000)).message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="text"),
        pytest.param(der.sequence(der.sequence(der.integer(0))), id="grant without a token"),
        pytest.param(der.sequence(der.sequence(der.integer(0)), der.sequence()), id="empty token"),
        pytest.param(der.sequence(der.sequence(der.integer(1 << 40000))), id="status without end"),
        pytest.param(answer() + b"\0", id="trailing byte"),
        pytest.param(der.octet_string(b"\0" * 70000), id="without bounds"),
    ],
)
def test_a_malformed_answer_is_refused(encoded: bytes) -> None:
    assert refusal_of(encoded).reason == "timestamp-malformed"


def test_a_grant_with_changes_is_no_grant() -> None:
    changed = answer().replace(der.sequence(der.integer(0)), der.sequence(der.integer(1)), 1)
    assert refusal_of(changed).reason == "timestamp-refused"
