"""Identifiers: one text for each name, and no text that two readers could take for two names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estamp.errors import IdentifierError
from estamp.identifiers import MAX_PIECE, ClientId, MemberId, ServerId, ServiceId, decode_piece, encode_piece, is_strict

_CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
PIECES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=["\\", *_CONTROLS]), min_size=1, max_size=MAX_PIECE
).filter(lambda piece: piece not in (".", ".."))


@given(st.lists(PIECES, min_size=5, max_size=5))
def test_every_name_survives_its_text_form(pieces: list[str]) -> None:
    instance, member_class, code, subsystem, service = pieces
    for name in (
        MemberId(instance, member_class, code),
        ClientId(instance, member_class, code),
        ClientId(instance, member_class, code, subsystem),
        ServiceId(instance, member_class, code, subsystem, service),
        ServerId(instance, member_class, code, subsystem),
    ):
        text = str(name)
        assert type(name).parse(text) == name
        assert text.isascii()
        assert not set(text) & set(':%2F?#&"<> '.replace("%2F", ""))


@given(PIECES)
def test_a_piece_is_one_path_segment(piece: str) -> None:
    encoded = encode_piece(piece)
    assert decode_piece(encoded) == piece
    assert "/" not in encoded


def test_the_text_forms_of_the_protocol() -> None:
    client = ClientId.parse("QROO/MUN/BENITO-JUAREZ/patrullas")
    assert client.member == MemberId("QROO", "MUN", "BENITO-JUAREZ")
    assert client.subsystem_code == "patrullas"
    assert ClientId.parse("QROO/MUN/BENITO-JUAREZ").subsystem_code is None
    service = ServiceId.parse("QROO/EST/SSP/vehiculos/placas")
    assert str(service.provider) == "QROO/EST/SSP/vehiculos"
    assert str(ServerId.parse("QROO/EST/SSP/gw1").owner) == "QROO/EST/SSP"
    assert str(MemberId("QROO", "MUN", "José/Ñ")) == "QROO/MUN/Jos%C3%A9%2F%C3%91"


def test_other_spellings_of_a_name_are_the_same_name() -> None:
    assert ClientId.parse("QROO/MUN/%42ENITO-JUAREZ/patrullas") == ClientId.parse("QROO/MUN/BENITO-JUAREZ/patrullas")
    assert ClientId.parse("QROO/MUN/Jos%c3%a9") == ClientId.parse("QROO/MUN/José")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QROO/MUN",
        "QROO/MUN/A/b/c",
        "/QROO/MUN/A",
        "QROO/MUN/A/",
        "QROO//A",
        "QROO/MUN/.",
        "QROO/MUN/..",
        "QROO/MUN/%2e%2E",
        "QROO/MUN/a%5Cb",
        "QROO/MUN/a\\b",
        "QROO/MUN/a%00",
        "QROO/MUN/a%0d%0aX-Road-Id:1",
        "QROO/MUN/a%7F",
        "QROO/MUN/a%C2%85",
        "QROO/MUN/a%",
        "QROO/MUN/a%4",
        "QROO/MUN/a%GG",
        "QROO/MUN/a%+1",
        "QROO/MUN/%FF",
        "QROO/MUN/%C0%AF",
        "QROO/MUN/%ED%A0%80",
        "QROO/MUN/" + "a" * (MAX_PIECE + 1),
    ],
)
def test_what_is_no_client(text: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        ClientId.parse(text)
    assert caught.value.reason == "identifier-malformed"


def test_the_longest_piece_is_counted_in_characters_after_decoding() -> None:
    assert decode_piece("%C3%B1" * MAX_PIECE) == "ñ" * MAX_PIECE
    with pytest.raises(IdentifierError):
        decode_piece("%C3%B1" * (MAX_PIECE + 1))


def test_each_kind_has_its_number_of_pieces() -> None:
    for parse, text in (
        (MemberId.parse, "QROO/MUN/A/b"),
        (ServiceId.parse, "QROO/MUN/A/b"),
        (ServiceId.parse, "QROO/MUN/A/b/c/d"),
        (ServerId.parse, "QROO/MUN/A"),
        (ServerId.parse, "QROO/MUN/A/b/c"),
    ):
        with pytest.raises(IdentifierError):
            parse(text)


def test_what_a_registry_admits_in_new_names() -> None:
    assert all(is_strict(piece) for piece in ("A", "placas-2", "a.b", "x(1)", "'+,=?", "...."[:3]))
    refused = ("", ".", "..", "a_b", "a b", "ñ", "a/b", "a:b", "a%41", "a\n", "a" * (MAX_PIECE + 1))
    assert not [piece for piece in refused if is_strict(piece)]
