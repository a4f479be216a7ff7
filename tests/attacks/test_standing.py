"""Now beats then: who is suspended or revoked in the catalogue is refused, though the stapled status says good."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from estamp.identifiers import MemberId, ServerId
from tests.attacks.conftest import Scene
from tests.attacks.further_members import GUEST, THIRD, THIRD_SERVER, THROWAWAY
from tests.attacks.hostile_consumer import open_connection, seconds_until_closed
from tests.attacks.hostile_provider import Asked, as_http
from tests.attacks.refused_answers import ask, faulty, refused_answer
from tests.running_instance import CONSUMER, PROVIDER
from xacbe.demo_files import MEMBERS

MEMBER, SERVER = ("UnknownMember", "member-suspended"), ("InvalidSecurityServer", "server-suspended")


@contextmanager
def suspended(scene: Scene, what: str, identifier: str) -> Iterator[None]:
    """While the block runs, this one is suspended and both gateways know it."""
    scene.members.suspend(what, identifier)
    try:
        yield
    finally:
        scene.members.unsuspend(what, identifier)


@pytest.mark.parametrize(
    ("what", "identifier", "refusal"), [("member", THIRD, MEMBER), ("server", THIRD_SERVER, SERVER)]
)
def test_suspended_peer_is_refused_and_its_open_connection_closed(
    scene: Scene, what: str, identifier: str, refusal: tuple[str, str]
) -> None:
    connection = open_connection(scene.third)
    container = scene.third.request().container()
    scene.members.registry("suspend", what, identifier, "--reason", "a test")
    try:
        assert seconds_until_closed(connection) < 5
        scene.members.suspend(what, identifier)
        code, reason = refusal
        scene.third.refused(container, code, reason, read=False)
        told = faulty(ask(scene))
        without = reason if what == "member" else "provider-without-server"
        assert told.what == ("Server.ClientProxy.UnknownMember", without, "consumer gateway")
        assert scene.instance.entries(CONSUMER, "request_id = ?", told.detail) == []
    finally:
        scene.members.unsuspend(what, identifier)
    scene.third.accepted(container)


def test_suspended_provider_refuses_requests_itself(scene: Scene) -> None:
    with suspended(scene, "member", MEMBERS[PROVIDER]):
        scene.consumer.refused(scene.consumer.request().container(), *MEMBER)
    scene.consumer.accepted(scene.consumer.request().container())


def test_suspended_member_hosted_by_another_is_refused_message_by_message(scene: Scene) -> None:
    connection = open_connection(scene.third)
    with suspended(scene, "member", GUEST):
        scene.guest.refused(scene.guest.request().container(), *MEMBER, connection=connection)
        # Its host is not suspended: the same connection still serves it.
        scene.third.send(scene.third.request().container(), connection=connection).stamped(scene.instance.anchor)
    connection.close()
    scene.guest.accepted(scene.guest.request().container())


@pytest.mark.parametrize(
    ("what", "identifier", "refusal"), [("member", THIRD, MEMBER), ("server", THIRD_SERVER, SERVER)]
)
def test_answer_of_a_provider_that_was_suspended_meanwhile_is_not_handed_over(
    scene: Scene, what: str, identifier: str, refusal: tuple[str, str]
) -> None:
    def suspend_then_answer(asked: Asked) -> bytes:
        scene.members.suspend(what, identifier)
        return as_http(asked.answer().container())

    try:
        refused_answer(scene, suspend_then_answer, *refusal)
    finally:
        scene.members.unsuspend(what, identifier)


def test_revoked_certificates_are_refused_though_their_status_says_good(scene: Scene) -> None:
    party = scene.throwaway
    party.accepted(party.request().container())
    connection = open_connection(party)
    scene.members.revoke(party.signing)
    told = party.refused(party.request().container(), "CertValidation", "certificate-revoked", connection=connection)
    assert "catalogue" in told.message
    scene.members.revoke(party.authentication)
    assert seconds_until_closed(connection) < 5
    party.refused(party.request().container(), "CertValidation", "certificate-revoked", read=False)


def test_signer_that_left_the_catalogue_is_refused(scene: Scene) -> None:
    # Certificates of the instance's CA with names that it never had, brought by a registered server.
    third = scene.third
    nobody = MemberId.parse("QROO/MUN/NADIE")
    for member, server, client, refusal in (
        (nobody, ServerId.parse(THIRD_SERVER), f"{nobody}/consultas", ("UnknownMember", "member-unknown")),
        (
            MemberId.parse(THIRD),
            ServerId.parse(f"{THIRD}/otro"),
            third.client,
            ("InvalidSecurityServer", "server-unknown"),
        ),
        (MemberId.parse(THIRD), ServerId.parse(THIRD_SERVER), f"{THIRD}/otra", ("UnknownMember", "client-unknown")),
        (
            MemberId.parse(THROWAWAY),
            ServerId.parse(THIRD_SERVER),
            f"{THROWAWAY}/consultas",
            ("UnknownMember", "client-not-hosted"),
        ),
    ):
        signer = scene.keys.signing_for(member, server)
        third.refused(third.request(client=client).but(signer=signer).container(), *refusal)
