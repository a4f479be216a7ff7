"""Live traffic: the newest catalogue decides who may take part, whatever the container says."""

import datetime as dt
import hashlib
from collections.abc import Mapping

import pytest

from estamp.identifiers import ServerId
from estamp.message import RequestHead
from estamp.verification import Policy, verify
from tests.breaking import CLIENT, TARGET, Instance, Stamped, answer, request, request_headers

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance(not_before=NOW - dt.timedelta(days=30))


@pytest.fixture(scope="module")
def plain(pki: Instance) -> bytes:
    return request(pki, NOW).container()


def refusal(pki: Instance, stamped: Stamped | bytes, changes: Mapping[str, object] | None = None) -> str | None:
    """The reason on arrival now, with a catalogue that differs from the usual one in `changes`; None if accepted."""
    container = stamped if isinstance(stamped, bytes) else stamped.container()
    return verify(container, pki.anchor, Policy(NOW, live=True), pki.catalogue(NOW, **(changes or {}))).reason


def test_the_newest_catalogue_decides(pki: Instance, plain: bytes) -> None:
    usual = pki.catalogue(NOW)
    asking, answering = usual.members
    server, other_server = usual.servers
    suspended = asking.model_copy(update={"suspended": True})
    cases: dict[str, dict[str, object]] = {
        "member-unknown": {"members": (answering,)},
        "member-suspended": {"members": (suspended, answering)},
        "server-unknown": {"servers": (other_server,)},
        "server-suspended": {"servers": (server.model_copy(update={"suspended": True}), other_server)},
        "client-unknown": {"members": (asking.model_copy(update={"subsystems": ()}), answering)},
        "client-not-hosted": {"servers": (server.model_copy(update={"clients": ()}), other_server)},
        "certificate-revoked": {"revoked_certificates": frozenset({hashlib.sha256(pki.signing.der).hexdigest()})},
        "timestamp-unknown-authority": {"timestamp_authorities": ()},
        "status-unauthorised-responder": {"status_responders": ()},
        "certificate-chain": {"certification_authorities": ()},
        "catalogue-malformed": {"instance": "YUC"},
    }
    assert {reason: refusal(pki, plain, changes) for reason, changes in cases.items()} == {
        reason: reason for reason in cases
    }


def test_the_catalogue_judges_the_provider_of_an_answer(pki: Instance) -> None:
    container = answer(pki, NOW).container()
    asking, answering = pki.catalogue(NOW).members
    without = answering.model_copy(update={"subsystems": ()})
    assert refusal(pki, container) is None
    assert refusal(pki, container, {"members": (asking,)}) == "member-unknown"
    assert refusal(pki, container, {"members": (asking, without)}) == "client-unknown"
    # Who asked is no part of the answer's standing: the provider answers for itself.
    assert refusal(pki, container, {"members": (answering,)}) is None


def test_the_owner_of_the_server_counts_too(pki: Instance) -> None:
    """A member hosted on another member's server is cut off when that other one is suspended."""
    usual = pki.catalogue(NOW)
    asking, answering = usual.members
    server, other_server = usual.servers
    guest = pki.signing_for(pki.member, pki.provider_server)
    hosting = other_server.model_copy(update={"clients": (*other_server.clients, CLIENT)})
    stamped = request(pki, NOW).but(signer=guest)
    assert refusal(pki, stamped, {"servers": (server, hosting)}) is None
    suspended = answering.model_copy(update={"suspended": True})
    assert refusal(pki, stamped, {"servers": (server, hosting), "members": (asking, suspended)}) == "member-suspended"
    assert refusal(pki, stamped, {"servers": (server, hosting), "members": (asking,)}) == "server-unknown"


def test_an_expired_catalogue_lets_nobody_in(pki: Instance, plain: bytes) -> None:
    def with_expiry(expires_at: dt.datetime) -> str | None:
        return refusal(pki, plain, {"expires_at": expires_at})

    assert with_expiry(NOW + SECOND) is None
    assert with_expiry(NOW) == "catalogue-expired"


def test_later_standing_does_not_change_evidence(pki: Instance, plain: bytes) -> None:
    gone = pki.catalogue(NOW, members=(), servers=(), expires_at=NOW - HOUR)
    assert verify(plain, pki.anchor, Policy(NOW), gone).valid


def test_a_server_that_no_catalogue_spells_so(pki: Instance) -> None:
    """Names are compared in their one spelling: percent-encoding a letter makes no other client."""
    head = RequestHead(
        request_headers(X_Road_Client=CLIENT.replace("patrullas", "%70atrullas")), "GET", TARGET
    ).encode()
    assert refusal(pki, request(pki, NOW, head=head)) is None
    other = pki.signing_for(pki.member, ServerId("QROO", "MUN", "BENITO-JUAREZ", "GW1"))
    assert refusal(pki, request(pki, NOW).but(signer=other)) == "server-unknown"
