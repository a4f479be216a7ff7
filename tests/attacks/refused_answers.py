"""Calls whose answer the consumer's gateway must not hand over."""

import hashlib

import httpx

from tests.attacks.conftest import Scene
from tests.attacks.further_members import THIRD_SERVICE
from tests.attacks.hostile_provider import Answerer, Asked
from tests.attacks.told import Told, read_fault, require_discreet
from tests.running_instance import CONSUMER

BODY_SEPARATOR = b"\r\n\r\n"


def refused_answer(scene: Scene, answerer: Answerer, code: str, *reasons: str, read: bool = True) -> Told:
    """Call the hostile provider, which answers so: the caller gets a fault, and the answer is in the log's refusals.

    `code` is X-Road's without its prefix, `reasons` those of ours that fit. `read` says that the gateway got as far as
    looking into the container, whose digest is then in the log.
    """
    sent: list[bytes] = []

    def answer(asked: Asked) -> bytes:
        sent.append(answerer(asked))
        return sent[-1]

    with scene.provider.answering(answer):
        told = faulty(ask(scene))
    assert told.reason in reasons, told
    assert told.what == (f"Server.ClientProxy.{code}", told.reason, "consumer gateway")
    digest = hashlib.sha256(sent[0].partition(BODY_SEPARATOR)[2]).hexdigest() if read else None
    require_refused(scene, told, digest)
    assert len(sent) == 1, "the request was sent again"
    return told


def ask(scene: Scene, *, method: str = "POST") -> httpx.Response:
    """A call of the hostile provider's service."""
    return scene.instance.call("x", service=THIRD_SERVICE, method=method, content=b"ask" if method == "POST" else None)


def faulty(answer: httpx.Response) -> Told:
    """The fault that a caller got, with nothing of what the provider sent."""
    require_discreet(repr(answer.headers.multi_items()).encode())
    told = read_fault(answer.content)
    assert answer.status_code == (500 if told.type.startswith("Server.") else 400)
    assert answer.headers["x-road-error"] == told.type
    assert answer.headers["content-type"].startswith("application/json")
    return told


def require_refused(scene: Scene, told: Told, digest: str | None) -> None:
    """See that the consumer's log has the request, the refusal of what answered it, and no answer."""
    (row,) = scene.instance.refusals(CONSUMER, "request_id = ?", told.detail)
    assert (row["side"], row["reason"], row["type"], row["place"]) == ("consumer", told.reason, told.type, told.place)
    assert row["digest"] == digest
    (entry,) = scene.instance.entries(CONSUMER, "request_id = ?", told.detail)
    assert (entry["direction"], entry["id"]) == ("request", row["linked_entry"])
