"""A registered provider's gateway that answers what it should not; every e-stamp in here is valid."""

import json
import time
from functools import partial

import httpx
import pytest

from estamp.message import AnswerHead
from tests.attacks.conftest import Scene
from tests.attacks.further_members import GUEST, THIRD_CLIENT
from tests.attacks.hostile_provider import Answerer, Asked, as_http
from tests.attacks.refused_answers import ask, faulty, refused_answer, require_refused
from tests.running_instance import CONSUMER, PROVIDER

INCONSISTENT = ("InconsistentResponse", "answer-inconsistent")
OTHER_SIGNER = ("IncorrectCertificate", "answer-other-signer")
MALFORMED = ("InvalidResponse", "provider-answer-malformed")


@pytest.mark.parametrize(
    "changes",
    [
        {"X_Road_Request_Hash": "AAAA"},
        {"X_Road_Request_Id": "9b2e2d9c-6d7b-4a55-9df5-000000000000"},
        {"X_Road_Id": "another"},
        {"X_Road_Client": "QROO/MUN/BENITO-JUAREZ/sin-permiso"},
        {"X_Road_Client": THIRD_CLIENT},
        {"X_Road_Service": "QROO/MUN/COZUMEL/servicios/otro"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_answer_to_another_request_is_refused(scene: Scene, changes: dict[str, str]) -> None:
    refused_answer(scene, lambda asked: as_http(asked.answer(asked.headers(**changes)).container()), *INCONSISTENT)


def test_answer_to_an_earlier_call_of_the_same_client_is_refused(scene: Scene) -> None:
    earlier: list[bytes] = []

    def remember(asked: Asked) -> bytes:
        earlier.append(as_http(asked.answer().container()))
        return earlier[0]

    with scene.provider.answering(remember):
        assert ask(scene).status_code == 200
    refused_answer(scene, lambda _: earlier[0], *INCONSISTENT)


@pytest.mark.parametrize("missing", ["X_Road_Request_Hash", "X_Road_Request_Id", "X_Road_Id", "X_Road_Service"])
def test_answer_without_what_ties_it_to_its_request_is_refused(scene: Scene, missing: str) -> None:
    without: dict[str, str | None] = {missing: None}
    refused_answer(
        scene,
        lambda asked: as_http(asked.answer(asked.headers(**without)).container()),
        "MissingHeaderField",
        "head-incomplete",
    )


def test_answer_that_carries_a_header_twice_is_refused(scene: Scene) -> None:
    def twice(asked: Asked) -> bytes:
        head = AnswerHead(asked.headers(), 200, "OK").encode() + b"x-road-request-hash:AAAA\r\n"
        return as_http(asked.answer(head=head).container())

    refused_answer(scene, twice, "DuplicateHeaderField", "head-header-repeated")


def test_answer_signed_by_another_member_in_that_member_s_name_is_refused(scene: Scene) -> None:
    # The guest's certificate is on the very server that was asked, and the answer names a service of the guest.
    def by_guest(asked: Asked) -> bytes:
        other = asked.answer(asked.headers(X_Road_Service=f"{GUEST}/consultas/registro"))
        return as_http(other.but(signer=scene.guest.signing).container())

    refused_answer(scene, by_guest, *OTHER_SIGNER)


def test_answer_signed_by_the_caller_s_own_gateway_is_refused(scene: Scene) -> None:
    def by_consumer(asked: Asked) -> bytes:
        other = asked.answer(asked.headers(X_Road_Service="QROO/MUN/BENITO-JUAREZ/patrullas/registro"))
        return as_http(other.but(signer=scene.consumer.signing).container())

    refused_answer(scene, by_consumer, *OTHER_SIGNER)


def test_answer_signed_by_another_member_in_the_provider_s_name_is_refused(scene: Scene) -> None:
    def in_its_name(asked: Asked) -> bytes:
        return as_http(asked.answer().but(signer=scene.guest.signing).container())

    refused_answer(scene, in_its_name, "IncorrectCertificate", "signer-not-named")


def test_request_sent_back_as_its_own_answer_is_refused(scene: Scene) -> None:
    # It is stamped and valid, and its signer is the caller.
    refused_answer(scene, lambda asked: as_http(asked.container), *INCONSISTENT)


def test_new_request_as_an_answer_is_refused(scene: Scene) -> None:
    refused_answer(scene, lambda _: as_http(scene.third.request().container()), *INCONSISTENT)


@pytest.mark.parametrize("status", [204, 304])
def test_body_under_a_status_that_has_none_is_refused(scene: Scene, status: int) -> None:
    # Written out to the caller it would be read as the head of the next answer.
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    refused_answer(scene, lambda asked: as_http(asked.answer(status=status, body=forged).container()), *INCONSISTENT)


def test_framing_headers_in_a_stamped_head_do_not_reach_the_caller(scene: Scene) -> None:
    def framed(asked: Asked) -> bytes:
        headers = asked.headers(
            Content_Length="3", Transfer_Encoding="chunked", Connection="close, x-kept", Keep_Alive="1", X_Kept="yes"
        )
        head = AnswerHead(headers, 200, "OK").encode()
        return as_http(asked.answer(head=head, body=b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").container())

    with scene.provider.answering(framed):
        answer = ask(scene)
    assert answer.status_code == 200, answer.text
    assert answer.content == b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    assert answer.headers.get_list("content-length") == [str(len(answer.content))]
    assert not {"transfer-encoding", "connection", "keep-alive"} & set(answer.headers)
    assert answer.headers["x-kept"] == "yes"


def test_stamped_fault_of_a_type_that_the_protocol_does_not_have_is_refused(scene: Scene) -> None:
    refused_answer(
        scene,
        lambda asked: as_http(asked.answer(asked.headers(X_Road_Error="Anything.Goes")).container()),
        *INCONSISTENT,
    )


def refusal(**changes: object) -> bytes:
    """A sound unstamped refusal of a provider's gateway, but for `changes`."""
    usual = {
        "type": "Server.ServerProxy.InvalidRequest",
        "message": "Told by the provider.",
        "detail": "",
        "place": "provider gateway",
        "reason": "replayed",
        "advice": "Make a new call.",
        "retryable": False,
    }
    return json.dumps({**usual, **changes}).encode()


def unstamped(
    body: bytes, content_type: str = "application/json", status: str = "500 Internal Server Error"
) -> Answerer:
    """Answer with this refusal."""
    return lambda _: as_http(body, status=status, content_type=content_type)


HTML = b"<html><script>alert(1)</script> Traceback /srv/secret.py 10.0.0.7</html>"


@pytest.mark.parametrize(
    "answerer",
    [
        pytest.param(unstamped(HTML, "text/html"), id="html"),
        pytest.param(unstamped(HTML, "text/html", "200 OK"), id="html-200"),
        pytest.param(unstamped(b"PK\x03\x04", "application/zip", "200 OK"), id="zip-200"),
        pytest.param(unstamped(refusal(message="x" * 20_000)), id="huge"),
        pytest.param(unstamped(b'{"a":' * 2000 + b"1" + b"}" * 2000), id="deep-objects"),
        pytest.param(unstamped(b"[" * 16_000), id="deep-lists"),
        pytest.param(unstamped(b"[1,2]"), id="list"),
        pytest.param(unstamped(b'"text"'), id="text"),
        pytest.param(unstamped(b"null"), id="null"),
        pytest.param(unstamped(b"1" * 10_000), id="long-number"),
        pytest.param(unstamped(b"\xff\xfe{}"), id="not-utf8"),
        pytest.param(unstamped(b""), id="empty"),
        pytest.param(unstamped(b"{}"), id="no-members"),
        pytest.param(unstamped(refusal(type=7)), id="type-number"),
        pytest.param(unstamped(refusal(type=["Server.ServerProxy.X"])), id="type-list"),
        pytest.param(unstamped(refusal(type="Server.Invented\r\nX-Injected: 1")), id="type-injecting"),
        pytest.param(unstamped(refusal(type="Server.ServerProxy.InvalidRequest\n")), id="type-newline"),
        pytest.param(unstamped(refusal(type="Anything.Goes")), id="type-of-nobody"),
        pytest.param(unstamped(refusal(reason={"a": 1})), id="reason-object"),
        pytest.param(unstamped(refusal(reason="x" * 100)), id="reason-long"),
        pytest.param(unstamped(refusal(reason="replayed\n")), id="reason-newline"),
        pytest.param(unstamped(b"", status="302 Found\r\nLocation: https://127.0.0.1/elsewhere"), id="redirect"),
        pytest.param(lambda _: as_http(b"", announced=64 * 1024 * 1024), id="announces-too-much"),
    ],
)
def test_answer_that_is_neither_container_nor_refusal_is_refused(scene: Scene, answerer: Answerer) -> None:
    told = refused_answer(scene, answerer, *MALFORMED, read=False)
    assert "script" not in told.message + told.detail


def test_refusal_with_strange_texts_is_told_as_plain_text_from_the_provider(scene: Scene) -> None:
    strange = refusal(
        message="a\r\nb\0c\x1b[31m" + "m" * 5000, advice=["list"], place="consumer gateway", retryable="yes", detail=7
    )
    with scene.provider.answering(unstamped(strange)):
        answer = ask(scene)
    told = answer.json()
    assert (told["type"], told["reason"]) == ("Server.ServerProxy.InvalidRequest", "replayed")
    assert told["place"] == "provider gateway"
    assert told["retryable"] is False
    assert told["message"].startswith("abc[31mmm")
    assert len(told["message"]) <= 500
    assert told["advice"], "the caller is not told what to do"


def test_reasons_that_a_peer_invents_do_not_become_figures_each(scene: Scene) -> None:
    with scene.provider.answering(unstamped(refusal(reason="invented-for-a-time-series"))):
        assert faulty(ask(scene)).reason == "invented-for-a-time-series"
    figures = httpx.get(f"{scene.instance.ports.gateway_management(CONSUMER).url}/metrics", trust_env=False).text
    assert "xacbe_exchanges" in figures
    assert "invented" not in figures


def test_refusal_is_told_as_the_provider_s_whatever_its_http_status(scene: Scene) -> None:
    with scene.provider.answering(unstamped(refusal(), status="200 OK")):
        told = faulty(ask(scene))
    assert told.what == ("Server.ServerProxy.InvalidRequest", "replayed", "provider gateway")
    require_refused(scene, told, None)


BROKEN_OFF = ("NetworkError", "provider-broke-off")


def _cut(share: float, asked: Asked) -> bytes:
    whole = as_http(asked.answer().container())
    return whole[: int(len(whole) * share)]


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.999])
def test_answer_that_breaks_off_is_refused(scene: Scene, share: float) -> None:
    refused_answer(scene, partial(_cut, share), *BROKEN_OFF, read=False)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\1\2 not HTTP at all\r\n\r\n",
        b"HTTP/1.1 999999 Far Out\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["not-http", "status", "two-lengths", "long-header", "body-without-content"],
)
def test_answer_that_is_no_http_is_refused(scene: Scene, raw: bytes) -> None:
    refused_answer(scene, lambda _: raw, "InvalidResponse", "provider-answer-malformed", read=False)


def test_container_cut_short_in_a_whole_http_answer_is_refused(scene: Scene) -> None:
    refused_answer(
        scene, lambda asked: as_http(asked.answer().container()[:-100]), "InvalidMessage", "container-malformed"
    )


def test_none_of_this_was_an_internal_error(scene: Scene) -> None:
    time.sleep(0.1)
    for gateway in (CONSUMER, PROVIDER):
        assert scene.instance.refusals(gateway, "reason = 'internal-error'") == []
