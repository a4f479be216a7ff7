"""The catalogue: what it says of whom, and which published one is taken."""

import datetime as dt
import json

import pytest

from estamp.catalogue import Catalogue
from estamp.certificates import Kind
from estamp.errors import CatalogueError
from estamp.identifiers import ClientId, MemberId, ServerId, ServiceId
from estamp.verdict import Outcome
from estamp.verification import Policy, verify_catalogue
from tests.breaking import CLIENT, SERVICE, Instance, Stamped, flipped, published, rebuilt, request

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance(not_before=NOW - dt.timedelta(days=30))


@pytest.fixture(scope="module")
def catalogue(pki: Instance) -> Catalogue:
    return pki.catalogue(NOW)


def refusal(pki: Instance, stamped: Stamped | bytes, at: dt.datetime = NOW, *, live: bool = True) -> str | None:
    container = stamped if isinstance(stamped, bytes) else stamped.container()
    verdict, opened = verify_catalogue(container, pki.anchor, Policy(at, live=live))
    assert (opened is not None) == verdict.valid
    return verdict.reason


# --- what it says ---


def test_what_is_dumped_is_loaded(catalogue: Catalogue) -> None:
    assert Catalogue.load(catalogue.dump()) == catalogue


def test_who_is_there(pki: Instance, catalogue: Catalogue) -> None:
    client, service = ClientId.parse(CLIENT), ServiceId.parse(SERVICE)
    member = catalogue.member(pki.member)
    assert member is not None
    assert member.name == "Benito Juárez"
    assert catalogue.member(MemberId("QROO", "MUN", "NOWHERE")) is None
    assert catalogue.knows_client(client)
    assert catalogue.knows_client(ClientId("QROO", "MUN", "BENITO-JUAREZ"))
    assert not catalogue.knows_client(ClientId("QROO", "MUN", "BENITO-JUAREZ", "x"))
    assert not catalogue.knows_client(ClientId("QROO", "MUN", "NOWHERE"))
    assert not catalogue.knows_client(ClientId("QROO", "MUN", "NOWHERE", "x"))
    found = catalogue.service(service)
    assert found is not None
    assert found.title == "Plates"
    assert catalogue.service(ServiceId("QROO", "EST", "SSP", "vehiculos", "x")) is None
    assert catalogue.service(ServiceId("QROO", "EST", "SSP", "x", "placas")) is None


def test_where_they_are(pki: Instance, catalogue: Catalogue) -> None:
    assert [server.id for server in catalogue.servers_of(ClientId.parse(CLIENT))] == [str(pki.server)]
    assert catalogue.servers_of(ClientId("QROO", "MUN", "BENITO-JUAREZ")) == []
    server = catalogue.server(pki.server)
    assert server is not None
    assert server.address == "127.0.0.1:5500"
    assert catalogue.server(ServerId("QROO", "MUN", "BENITO-JUAREZ", "gw2")) is None
    presented = server.model_copy(update={"authentication_certificates": ("ab" * 32,)})
    with_certificate = pki.catalogue(NOW, servers=(presented,))
    assert with_certificate.server_with("ab" * 32) == presented
    assert with_certificate.server_with("cd" * 32) is None


def test_it_ends_at_its_expiry(catalogue: Catalogue) -> None:
    assert not catalogue.expired(NOW)
    assert not catalogue.expired(catalogue.expires_at - SECOND)
    assert catalogue.expired(catalogue.expires_at)


@pytest.mark.parametrize(
    "change",
    [
        {"instance": None},
        {"version": 0},
        {"version": "many"},
        {"issued_at": "2026-03-02T10:00:00"},
        {"expires_at": "soon"},
        {"members": [{"id": "QROO/MUN/A"}]},
        {"revoked_certificates": ["AB"]},
        {"next_catalogue_signer_key": "ab"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_catalogue(catalogue: Catalogue, change: dict[str, object]) -> None:
    values = {**json.loads(catalogue.dump()), **change}
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load(json.dumps(values).encode())
    assert caught.value.reason == "catalogue-malformed"
    assert next(iter(change)) in caught.value.message


def test_members_of_the_json_that_are_new_are_passed_over(catalogue: Catalogue) -> None:
    values = {**json.loads(catalogue.dump()), "of_a_later_version": {"x": 1}}
    assert Catalogue.load(json.dumps(values).encode()) == catalogue


def test_an_unreadable_certificate_is_told_as_the_catalogues_fault(pki: Instance) -> None:
    for encoded in ("!", "AAAA"):
        broken = pki.catalogue(NOW, certification_authorities=(encoded,))
        with pytest.raises(CatalogueError) as caught:
            _ = broken.certification_authority_fingerprints
        assert caught.value.reason == "catalogue-malformed"


# --- which one is taken ---


def test_a_published_catalogue_is_opened(pki: Instance, catalogue: Catalogue) -> None:
    container = published(pki, NOW, catalogue).container()
    verdict, opened = verify_catalogue(container, pki.anchor, Policy(NOW, live=True))
    assert opened == catalogue
    assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
    assert {"catalogue-signer", "certificate-chain", "eight-hours", "catalogue"} <= {c.name for c in verdict.checks}


def test_it_is_taken_until_it_expires(pki: Instance, catalogue: Catalogue) -> None:
    stamped = published(pki, NOW, catalogue)
    assert refusal(pki, stamped, catalogue.expires_at - SECOND) is None
    assert refusal(pki, stamped, catalogue.expires_at) == "catalogue-expired"
    assert refusal(pki, stamped, catalogue.expires_at + 1000 * HOUR, live=False) is None


def test_only_the_key_of_the_anchor_signs_catalogues(pki: Instance, catalogue: Catalogue) -> None:
    usual = published(pki, NOW, catalogue)
    renewed = pki.service(Kind.CATALOGUE_SIGNER, issuer=pki.root, key=pki.catalogue_signer.key)
    assert refusal(pki, usual.but(signer=renewed)) is None
    other_key = pki.service(Kind.CATALOGUE_SIGNER, issuer=pki.root)
    assert refusal(pki, usual.but(signer=other_key)) == "catalogue-foreign-signer"
    of_the_wrong_kind = pki.service(Kind.TSA, issuer=pki.root, key=pki.catalogue_signer.key)
    assert refusal(pki, usual.but(signer=of_the_wrong_kind)) == "catalogue-foreign-signer"
    self_made = Instance(not_before=NOW - dt.timedelta(days=30))
    by_key_alone = self_made.service(Kind.CATALOGUE_SIGNER, issuer=self_made.root, key=pki.catalogue_signer.key)
    assert refusal(pki, usual.but(signer=by_key_alone)) == "certificate-chain"


def test_a_catalogue_of_another_instance(pki: Instance) -> None:
    elsewhere = Instance("YUC", not_before=NOW - dt.timedelta(days=30))
    theirs = published(elsewhere, NOW, elsewhere.catalogue(NOW))
    assert refusal(pki, theirs) == "catalogue-foreign-signer"
    assert refusal(pki, published(pki, NOW, pki.catalogue(NOW, instance="YUC"))) == "catalogue-foreign-signer"


def test_a_changed_catalogue(pki: Instance, catalogue: Catalogue) -> None:
    container = published(pki, NOW, catalogue).container()
    changed = catalogue.dump().replace(b'"suspended":false', b'"suspended":true ', 1)
    assert changed != catalogue.dump()
    assert refusal(pki, rebuilt(container, {"catalogue.json": changed})) == "content-changed"
    policy = Policy(NOW, live=True)
    accepted = [at for at in range(len(container)) if verify_catalogue(flipped(container, at), pki.anchor, policy)[1]]
    assert accepted == []


def test_a_revoked_signer_or_a_status_answer_too_far_off(pki: Instance, catalogue: Catalogue) -> None:
    usual = published(pki, NOW, catalogue)
    assert refusal(pki, usual.but(make_status=lambda each: each.status(status="revoked"))) == "certificate-revoked"
    assert refusal(pki, usual.but(status_time=NOW - 8 * HOUR)) is None
    assert refusal(pki, usual.but(status_time=NOW - 8 * HOUR - SECOND)) == "status-too-far"


def test_its_own_time_stamping_authority_must_stand_in_it(pki: Instance) -> None:
    assert (
        refusal(pki, published(pki, NOW, pki.catalogue(NOW, timestamp_authorities=()))) == "timestamp-unknown-authority"
    )
    other = pki.service(Kind.TSA)
    assert refusal(pki, published(pki, NOW, pki.catalogue(NOW)).but(tsa=other)) == "timestamp-unknown-authority"


def test_a_message_is_no_catalogue(pki: Instance) -> None:
    assert refusal(pki, request(pki, NOW)) == "container-malformed"
