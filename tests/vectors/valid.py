"""Vectors that must be accepted."""

import datetime as dt
from collections.abc import Iterator

from estamp.message import AnswerHead, Direction, RequestHead, entries
from tests.breaking import TARGET, answer, answer_headers, published, request, request_headers
from tests.hostile_zip import Part, pack, parts_of
from tests.pki import new_key
from tests.vectors.scene import BODY, MOMENT, Case, Scene

FAULT = (
    b'{"type":"Server.ServerProxy.AccessDenied","message":"The client may not use this service.",'
    b'"detail":"7c9e6679","place":"provider-gateway","reason":"access-denied"}'
)


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    pki = scene.pki
    plain = scene.request.container()
    yield Case("request", "a GET without a body", plain)
    yield Case("request-live", "the same, judged on arrival with a catalogue at hand", plain, live=True)
    json_head = RequestHead(request_headers(Content_Type="application/json"), "POST", TARGET).encode()
    with_body = request(pki, MOMENT, head=json_head, body=BODY, media_type="application/json").container()
    yield Case("request-with-body", "a POST with a body of application/json", with_body)
    yield Case(
        "request-with-empty-body", "a body of no bytes, which is a body", request(pki, MOMENT, body=b"").container()
    )
    parts = [Part.but(part, descriptor=True) for part in parts_of(with_body)]
    yield Case("request-with-data-descriptors", "every entry's size and checksum in a descriptor after it", pack(parts))
    yield Case("answer", "the answer of the member that owns the service", scene.answer.container())
    yield Case(
        "answer-live", "the same, judged on arrival with a catalogue at hand", scene.answer.container(), live=True
    )
    asked = RequestHead(request_headers(), "GET", TARGET).encode()
    headers = answer_headers(asked, X_Road_Error="Server.ServerProxy.AccessDenied")
    fault = answer(pki, MOMENT, head=AnswerHead(headers, 500, "Internal Server Error").encode(), body=FAULT)
    yield Case("answer-fault", "a stamped fault: X-Road-Error in the head, JSON in the body", fault.container())
    bare = AnswerHead(answer_headers(asked, Content_Type=None), 204, "").encode()
    no_content = entries(Direction.ANSWER, bare, None, None)
    yield Case(
        "answer-without-body",
        "status 204 with an empty reason phrase",
        scene.answer.but(entries=tuple(no_content)).container(),
    )
    rsa = pki.signing_for(pki.member, pki.server, key=new_key("rsa-2048"))
    yield Case("request-rsa", "signed with RSA of 2048 bits", scene.request.but(signer=rsa).container())
    member_head = RequestHead(request_headers(X_Road_Client=str(pki.member)), "GET", TARGET).encode()
    yield Case(
        "request-by-member",
        "asked by the member itself, no subsystem",
        request(pki, MOMENT, head=member_head).container(),
    )
    for name, before in (("second", dt.timedelta(seconds=1)), ("eight-hours", dt.timedelta(hours=8))):
        yield Case(
            f"status-{name}-before-timestamp",
            f"the status answer is older than the timestamp by {before}",
            scene.request.but(status_time=MOMENT - before).container(),
            notes=("status-before-timestamp",),
        )
    hours = dt.timedelta(hours=8)
    yield Case(
        "status-eight-hours-after-timestamp",
        "the status answer is eight hours younger than the timestamp, to the second",
        scene.request.but(signing_time=MOMENT - hours, timestamp_time=MOMENT - hours, status_time=MOMENT).container(),
    )
    yield Case(
        "signing-time-five-minutes-before-timestamp",
        "signed five minutes before it was timestamped, to the second",
        scene.request.but(signing_time=MOMENT - dt.timedelta(minutes=5)).container(),
    )
    yield Case(
        "catalogue",
        "a published catalogue, within its time",
        published(pki, MOMENT, scene.catalogue).container(),
        live=True,
        catalogue=True,
    )
