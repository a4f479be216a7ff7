"""Heads: what is read is exactly what was signed, and what could be read in two ways is refused."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estamp.errors import HeadError
from estamp.message import (
    MAX_HEAD,
    METHODS,
    AnswerHead,
    Direction,
    RequestHead,
    bare_media_type,
    entries,
    header_values,
    is_bare_media_type,
    request_hash,
)

HEAD = (
    b"POST\r\n/r1/QROO/EST/SSP/vehiculos/placas/UTR?a=1&b=%2F\r\n"
    b"X-Road-Client:QROO/MUN/BENITO-JUAREZ/patrullas\r\nAccept:a\r\naccept:b\r\nX-Empty:\r\n"
)

NAMES = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20).map(
    lambda text: text.strip(" \t")
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)


def refusal(head: bytes) -> str:
    with pytest.raises(HeadError) as caught:
        RequestHead.parse(head)
    return caught.value.reason


def test_a_request_head_is_read_as_it_stands() -> None:
    head = RequestHead.parse(HEAD)
    assert (head.method, head.target) == ("POST", "/r1/QROO/EST/SSP/vehiculos/placas/UTR?a=1&b=%2F")
    assert head.headers[1:] == (("Accept", "a"), ("accept", "b"), ("X-Empty", ""))
    assert head.get("x-road-client") == "QROO/MUN/BENITO-JUAREZ/patrullas"
    assert head.get("X-Absent") is None
    assert header_values(head.headers, "ACCEPT") == ["a", "b"]
    assert head.encode() == HEAD


def test_an_answer_head_is_read_as_it_stands() -> None:
    head = AnswerHead.parse(b"404\r\nNot Found\r\nContent-Type:text/plain\r\n")
    assert (head.status, head.reason, head.get("content-type")) == (404, "Not Found", "text/plain")
    assert AnswerHead.parse(b"204\r\n\r\n") == AnswerHead((), 204, "")
    assert AnswerHead((), 204, "").encode() == b"204\r\n\r\n"


@given(st.sampled_from(sorted(METHODS)), HEADERS)
def test_what_is_encoded_is_read_back(method: str, headers: tuple[tuple[str, str], ...]) -> None:
    head = RequestHead(headers, method, "/r1/a/b/c/d/e")
    assert RequestHead.parse(head.encode()) == head


@given(st.binary(max_size=200))
def test_no_bytes_are_read_as_something_else(data: bytes) -> None:
    for kind in (RequestHead, AnswerHead):
        try:
            head = kind.parse(data)
        except HeadError:
            continue
        assert head.encode() == data


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET",
        b"GET\r\n",
        b"GET\r\n/",
        b"get\r\n/\r\n",
        b"CONNECT\r\n/\r\n",
        b"GET \r\n/\r\n",
        b"GET\r\n\r\n",
        b"GET\r\nr1\r\n",
        b"GET\r\n*\r\n",
        b"GET\r\nhttp://x/\r\n",
        b"GET\r\n/a b\r\n",
        b"GET\r\n/a#b\r\n",
        b"GET\r\n/\xe9\r\n",
        b"GET\r\n/\x7f\r\n",
        b"GET\n/\n",
        b"GET\r\n/\r\nA:b",
        b"GET\r\n/\r\nA:b\r\n\r\n",
        b"GET\r\n/\r\nA\r\n",
        b"GET\r\n/\r\n:b\r\n",
        b"GET\r\n/\r\nA :b\r\n",
        b"GET\r\n/\r\nA: b\r\n",
        b"GET\r\n/\r\nA:b \r\n",
        b"GET\r\n/\r\nA:b\t\r\n",
        b"GET\r\n/\r\n A:b\r\n",
        b"GET\r\n/\r\nA:b\rc\r\n",
        b"GET\r\n/\r\nA:b\nc\r\n",
        b"GET\r\n/\r\nA:b\0\r\n",
        b"GET\r\n/\r\nA:b\x7f\r\n",
        b"GET\r\n/\r\nA(:b\r\n",
        b"GET\r\n/\r\n\xc3\xa9:b\r\n",
        b"GET\r\n/\r\nA:" + b"b" * MAX_HEAD + b"\r\n",
    ],
)
def test_what_is_no_request_head(head: bytes) -> None:
    assert refusal(head) == "head-malformed"


@pytest.mark.parametrize(
    "line", [b"100", b"199", b"600", b"999", b"20", b"2000", b"2OO", b" 200", b"+20", "２００".encode()]
)
def test_what_is_no_final_status(line: bytes) -> None:
    with pytest.raises(HeadError) as caught:
        AnswerHead.parse(line + b"\r\nOK\r\n")
    assert caught.value.reason == "head-malformed"


@pytest.mark.parametrize(
    "name",
    [
        "Client",
        "Service",
        "Id",
        "UserId",
        "Issue",
        "Security-Server",
        "Represented-Party",
        "Request-Id",
        "Request-Hash",
        "Error",
    ],
)
def test_a_single_valued_header_stands_there_once(name: str) -> None:
    once = f"GET\r\n/\r\nX-Road-{name}:a\r\n".encode()
    assert RequestHead.parse(once).get(f"X-Road-{name}") == "a"
    assert refusal(once + f"x-rOAD-{name.lower()}:a\r\n".encode()) == "head-header-repeated"


def test_the_largest_head() -> None:
    fixed = len(b"GET\r\n/\r\nA:\r\n")
    largest = RequestHead((("A", "b" * (MAX_HEAD - fixed)),), "GET", "/")
    assert len(largest.encode()) == MAX_HEAD


@pytest.mark.parametrize(
    "head",
    [
        RequestHead((), "BREW", "/"),
        RequestHead((), "GET", "/ñ"),
        RequestHead((("A", "€"),), "GET", "/"),
        RequestHead((("A", " b"),), "GET", "/"),
        RequestHead((("A", "b\r\nC:d"),), "GET", "/"),
        RequestHead((("A:b", "c"),), "GET", "/"),
        RequestHead((("X-Road-Id", "1"), ("x-road-id", "2")), "GET", "/"),
        AnswerHead((), 99, "OK"),
        AnswerHead((), 200, "O\nK"),
        AnswerHead((), 200, "€"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(head: RequestHead | AnswerHead) -> None:
    with pytest.raises(HeadError):
        head.encode()


def test_the_request_hash_with_and_without_a_body() -> None:
    """Made with the shell: `printf 'GET\\r\\n/\\r\\n' | openssl dgst -sha512 -binary | base64`, or over two."""
    head = b"GET\r\n/\r\n"
    without = "XBqZ+sBhAIqOjBVizksdiu+hVTvYDMpa0P84sWQlZhK+yZyQSrtO6+Y2seKSZy4zr84noicSuI76+jV2mgEx7w=="
    with_abc = "X8wTNTQUKzNEsKLIsW07yFOo5gmlP4SQAjD2BM9Xoz9S0zMYgmE7OqdCtTTREJ64rcx3ivQQYcU8TqkcECyH+A=="
    with_empty = "Ut2Y2EszgzUMaLiY021rn30o5FeUSfnVAU3j1iEq2IlMTB0+TTw0s0kW9VdiOzQ7kL6tC0Mo60eJSjjC6BW8Xg=="
    assert request_hash(head, None) == without
    assert request_hash(head, b"abc") == with_abc
    assert request_hash(head, b"") == with_empty


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_body_and_none_never_hash_alike(head: bytes, body: bytes) -> None:
    expected = hashlib.sha512(hashlib.sha512(head).digest() + hashlib.sha512(body).digest()).digest()
    assert base64.b64decode(request_hash(head, body)) == expected
    assert request_hash(head, body) != request_hash(head, None)


@pytest.mark.parametrize(
    ("content_type", "bare"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("text/plain ;a=b", "text/plain"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("*/*", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("text/", "application/octet-stream"),
        ("text/plain, text/html", "application/octet-stream"),
        ('text/"x"', "application/octet-stream"),
        ("text/<b>", "application/octet-stream"),
        ("text/&amp", "application/octet-stream"),
        ("a" * 65 + "/b", "application/octet-stream"),
    ],
)
def test_the_media_type_of_the_manifest(content_type: str | None, bare: str) -> None:
    assert bare_media_type(content_type) == bare
    assert is_bare_media_type(bare)


@given(st.text(max_size=40))
def test_no_content_type_makes_a_media_type_that_would_be_refused(content_type: str) -> None:
    assert is_bare_media_type(bare_media_type(content_type))


def test_an_empty_body_is_a_body() -> None:
    assert [entry.name for entry in entries(Direction.REQUEST, b"h", None, None)] == ["request.http"]
    with_empty = entries(Direction.ANSWER, b"h", b"", "text/HTML;x=y")
    assert [(entry.name, entry.media_type) for entry in with_empty] == [
        ("answer.http", "text/plain"),
        ("body", "text/html"),
    ]
