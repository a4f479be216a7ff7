"""That the hostile parties' tools make messages that are accepted when nothing is wrong with them.

Without this, a refusal in the other modules might be for a reason that nobody meant.
"""

import pytest

from tests.attacks.conftest import Scene
from tests.attacks.further_members import THIRD_SERVICE
from tests.attacks.hostile_consumer import BODY, request_id_of
from tests.running_instance import CONSUMER, PROVIDER


@pytest.mark.parametrize("who", ["consumer", "third", "guest"])
def test_untouched_request_of_each_party_reaches_the_service_once(scene: Scene, who: str) -> None:
    party = getattr(scene, who)
    before = len(scene.service.seen)
    container = party.request("/a/b?c=d").container()
    party.accepted(container)
    assert [(each.target, each.body) for each in scene.service.seen[before:]] == [("/espejo/a/b?c=d", BODY)]
    rows = scene.instance.entries(PROVIDER, "request_id = ?", request_id_of(container))
    assert [row["direction"] for row in rows] == ["request", "answer"]


def test_untouched_answer_of_the_hostile_provider_is_handed_over(scene: Scene) -> None:
    answer = scene.instance.call("x", service=THIRD_SERVICE, method="POST", content=b"ask")
    assert (answer.status_code, answer.content) == (200, b'{"ok":true}'), answer.text
    rows = scene.instance.entries(CONSUMER, "request_id = ?", answer.headers["x-road-request-id"])
    assert [row["direction"] for row in rows] == ["request", "answer"]
