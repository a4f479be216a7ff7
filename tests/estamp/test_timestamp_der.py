"""The strict DER reader and writer, compared with asn1crypto and against everything that DER forbids."""

from datetime import UTC, datetime

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from estamp import der
from estamp.der import DerError, Reader


@given(st.integers(min_value=-(2**200), max_value=2**200))
def test_integers_are_written_as_asn1crypto_writes_them_and_read_back(value: int) -> None:
    encoded = der.integer(value)
    assert encoded == core.Integer(value).dump()
    assert Reader(encoded).integer() == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**128), max_size=2))
def test_object_identifiers_are_written_as_asn1crypto_writes_them_and_read_back(
    first: int, second: int, rest: list[int]
) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    encoded = der.object_identifier(dotted)
    assert encoded == core.ObjectIdentifier(dotted).dump()
    assert Reader(encoded).object_identifier() == dotted


@pytest.mark.parametrize("dotted", ["", "1", "1.", "1.40", "3.1", "1.2.03", "1.2.-3", "1.2.x", "1.2.\u0663", " 1.2"])
def test_what_is_no_object_identifier_is_refused(dotted: str) -> None:
    with pytest.raises(DerError):
        der.object_identifier(dotted)


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_lengths_are_minimal_and_read_back(size: int) -> None:
    encoded = der.octet_string(b"x" * size)
    assert encoded == core.OctetString(b"x" * size).dump()
    assert Reader(encoded).contents(der.OCTET_STRING) == b"x" * size


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="nothing"),
        pytest.param("04", id="no length"),
        pytest.param("0402ff", id="cut off"),
        pytest.param("0481", id="length cut off"),
        pytest.param("048101ff", id="long form for a short length"),
        pytest.param("04820080" + "00" * 128, id="length with a leading zero"),
        pytest.param("0480ff0000", id="indefinite length"),
        pytest.param("04850000000001ff", id="length of five bytes"),
        pytest.param("2403040100", id="constructed string"),
    ],
)
def test_lengths_that_der_forbids_are_refused(encoded: str) -> None:
    with pytest.raises(DerError):
        Reader(bytes.fromhex(encoded)).contents(der.OCTET_STRING)


@pytest.mark.parametrize("encoded", ["0200", "02020001", "0202ff80"])
def test_integers_that_are_not_minimal_are_refused(encoded: str) -> None:
    with pytest.raises(DerError):
        Reader(bytes.fromhex(encoded)).integer()


@pytest.mark.parametrize("encoded", ["0600", "06022a80", "0602800a", "06032a8001", "0641" + "01" * 65])
def test_malformed_object_identifiers_are_refused(encoded: str) -> None:
    with pytest.raises(DerError):
        Reader(bytes.fromhex(encoded)).object_identifier()


def test_an_element_cannot_reach_beyond_what_contains_it() -> None:
    inner = Reader(bytes.fromhex("3003040501ffffffff")).enter(der.SEQUENCE)
    with pytest.raises(DerError):
        inner.contents(der.OCTET_STRING)


def test_what_is_left_over_is_refused() -> None:
    reader = Reader(der.NULL + der.TRUE)
    reader.expect(der.NULL)
    with pytest.raises(DerError):
        reader.finish()


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_written_in_whole_seconds_and_read_back(time: datetime) -> None:
    body = Reader(der.generalized_time(time)).contents(der.GENERALIZED_TIME)
    assert der.read_generalized_time(body) == time.replace(microsecond=0, fold=0)


@pytest.mark.parametrize(
    "text",
    ["20261120120000", "202611201200Z", "20261120120000.5Z", "20261320120000Z", "20261120120060Z", "+0261120120000Z"],
)
def test_times_in_other_forms_are_refused(text: str) -> None:
    with pytest.raises(DerError):
        der.read_generalized_time(text.encode())
