"""E-stamps that do not hold, over mTLS with registered certificates: as requests, and as answers."""

import pytest

from tests.attacks.broken_stamps import BROKEN_STAMPS, Parties
from tests.attacks.conftest import Scene
from tests.attacks.hostile_provider import as_http
from tests.attacks.refused_answers import refused_answer


@pytest.mark.parametrize("name", BROKEN_STAMPS)
def test_provider_gateway_refuses_request(scene: Scene, name: str) -> None:
    broken = BROKEN_STAMPS[name]
    container = broken.make(scene.consumer.request(), Parties(scene.consumer, scene.third))
    scene.consumer.refused(container, broken.code, *broken.reasons)


@pytest.mark.parametrize("name", BROKEN_STAMPS)
def test_consumer_gateway_refuses_answer(scene: Scene, name: str) -> None:
    broken = BROKEN_STAMPS[name]
    parties = Parties(scene.third, scene.consumer)
    refused_answer(scene, lambda asked: as_http(broken.make(asked.answer(), parties)), broken.code, *broken.reasons)
