"""Vectors that are well signed, by whom they say, but whose head the wire does not allow or does not fit the signer."""

from collections.abc import Iterator

from estamp.container import Entry
from estamp.message import Direction, RequestHead, entries
from tests.breaking import CLIENT, SERVICE, TARGET, Stamped, request_headers
from tests.vectors.scene import BODY, Case, Scene

_USUAL = RequestHead(request_headers(), "GET", TARGET).encode()


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    for name, what, head in _malformed():
        yield Case(name, what, _request(scene, head).container(), "head-malformed", "head")
    yield Case(
        "head-client-repeated",
        "X-Road-Client stands there twice, in two spellings of its name",
        _request(scene, _USUAL + b"x-road-client:QROO/EST/SSP/vehiculos\r\n").container(),
        "head-header-repeated",
        "head",
    )
    yield Case(
        "head-request-id-repeated",
        "X-Road-Request-Id stands there twice",
        _request(scene, _USUAL + b"X-Road-Request-Id:other\r\n").container(),
        "head-header-repeated",
        "head",
    )
    for name, what, headers in (
        ("head-without-client", "no X-Road-Client", request_headers(X_Road_Client=None)),
        ("head-without-id", "no X-Road-Id", request_headers(X_Road_Id=None)),
        ("head-without-request-id", "no X-Road-Request-Id", request_headers(X_Road_Request_Id=None)),
        ("head-empty-id", "an X-Road-Id of no characters", request_headers(X_Road_Id="")),
    ):
        head = RequestHead(headers, "GET", TARGET).encode()
        yield Case(name, what, _request(scene, head).container(), "head-incomplete", "signer-named")
    yield from _answers(scene)
    yield from _media_types(scene)
    yield from _signers(scene)


def _request(scene: Scene, head: bytes) -> Stamped:
    return scene.request.but(entries=tuple(entries(Direction.REQUEST, head, None, None)))


def _malformed() -> Iterator[tuple[str, str, bytes]]:
    yield "head-line-feeds", "lines that end in LF alone", _USUAL.replace(b"\r\n", b"\n")
    yield "head-unknown-method", "a method that the protocol does not know", _USUAL.replace(b"GET", b"BREW", 1)
    yield "head-absolute-target", "an absolute address as target", _USUAL.replace(b"/r1/", b"http://127.0.0.1/r1/", 1)
    yield "head-fragment", "a target with a fragment", _USUAL.replace(b"UTR-123-A", b"UTR#A", 1)
    yield "head-space-after-colon", "a blank after a header's colon", _USUAL.replace(b"Id:", b"Id: ", 1)
    yield "head-folded", "a header over two lines", _USUAL + b"X-Long:a\r\n b\r\n"
    yield "head-control-character", "a NUL in a header", _USUAL + b"X-Nul:a\0b\r\n"
    yield "head-unfinished", "the last line does not end", _USUAL[:-2]
    yield "head-as-http", "a head as HTTP/1.1 writes it", b"GET " + TARGET.encode() + b" HTTP/1.1\r\n\r\n"
    yield "head-client-and-body", "an empty line and more after it", _USUAL + b"\r\nbody"


def _answers(scene: Scene) -> Iterator[Case]:
    usual = scene.answer.entries[0].data

    def answered(head: bytes) -> bytes:
        changed = Entry("answer.http", "text/plain", head)
        return scene.answer.but(entries=(changed, *scene.answer.entries[1:])).container()

    yield Case(
        "answer-informational",
        "an answer of status 100",
        answered(usual.replace(b"200", b"100", 1)),
        "head-malformed",
        "head",
    )
    lines = usual.split(b"\r\n")
    for header in ("X-Road-Service", "X-Road-Request-Hash"):
        without = b"\r\n".join(line for line in lines if not line.startswith(header.encode()))
        name = f"answer-without-{header.removeprefix('X-Road-').lower()}"
        yield Case(name, f"an answer without {header}", answered(without), "head-incomplete", "signer-named")


def _media_types(scene: Scene) -> Iterator[Case]:
    head = RequestHead(request_headers(Content_Type="application/json"), "POST", TARGET).encode()
    for name, what, head_type, body_type in (
        ("media-type-of-body", "the body is signed as another type than the head says", "text/plain", "text/html"),
        ("media-type-of-head", "the head is signed as something else than text/plain", "text/html", "application/json"),
    ):
        signed = (Entry("request.http", head_type, head), Entry("body", body_type, BODY))
        yield Case(name, what, scene.request.but(entries=signed).container(), "media-type-mismatch", "head")


def _signers(scene: Scene) -> Iterator[Case]:
    yield Case(
        "signer-other-member",
        "signed by another member than X-Road-Client names",
        scene.request.but(signer=scene.pki.answering).container(),
        "signer-not-named",
        "signer-named",
    )
    yield Case(
        "signer-of-answer-is-client",
        "the member that asked signed the answer",
        scene.answer.but(signer=scene.pki.signing).container(),
        "signer-not-named",
        "signer-named",
    )
    for name, what, client in (
        ("client-is-a-service", "X-Road-Client has the form of a service", SERVICE),
        ("client-with-path-steps", "X-Road-Client holds an encoded ..", CLIENT.replace("patrullas", "%2E%2E")),
    ):
        head = RequestHead(request_headers(X_Road_Client=client), "GET", TARGET).encode()
        yield Case(name, what, _request(scene, head).container(), "head-malformed", "signer-named")
