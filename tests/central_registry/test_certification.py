"""Issuing from signing requests: what is refused, and what is on record."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from sqlalchemy import select
from sqlalchemy.orm import Session

from central_registry.administration import Administration
from central_registry.certification import LARGEST_REQUEST, Order, make_order, read_request
from central_registry.errors import CertificationError, UnknownPartyError
from central_registry.models import AuditEntry, Certificate
from central_registry.state_folder import read_key
from estamp.certificates import Kind, check_chain, fingerprint, server_of, signer_of
from estamp.identifiers import MemberId, ServerId
from tests.central_registry.a_registry import (
    MEMBER,
    SERVER,
    ARegistry,
    issue_authentication,
    issue_signing,
    signing_request,
)
from tests.pki import new_key

OTHER_SERVER = ServerId("QROO", "MUN", "BENITO-JUAREZ", "gw1")


def der_of(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(line for line in pem.splitlines() if b"-" not in line))


def test_the_certificate_says_what_the_order_says(registry: ARegistry, administration: Administration) -> None:
    key = new_key()
    signing, authentication = issue_signing(administration, key), issue_authentication(administration)
    assert signing.public_key() == key.public_key()
    assert signer_of(signing).member == MEMBER
    assert server_of(authentication) == SERVER
    assert "whatever" not in signing.subject.rfc4514_string()
    for certificate in (signing, authentication):
        check_chain(certificate, [administration.issuing_ca()], registry.anchor.root, datetime.now(UTC))


def test_an_issued_certificate_is_on_record_and_audited(administration: Administration) -> None:
    certificate = issue_signing(administration)
    with Session(administration.engine) as session:
        row = session.get_one(Certificate, fingerprint(certificate))
        assert row.der == certificate.public_bytes(Encoding.DER)
        assert int(row.serial, 16) == certificate.serial_number
        assert (row.member, row.server, row.kind) == (str(MEMBER), str(SERVER), "signing")
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
        assert (entry.action, entry.subject, entry.before) == ("issue-certificate", row.holder, None)
        assert entry.after is not None
        assert entry.after["fingerprint"] == row.fingerprint
        assert "@" in entry.actor


def test_a_request_whose_signature_does_not_hold_is_refused() -> None:
    data = bytearray(der_of(signing_request()))
    data[-1] ^= 1
    with pytest.raises(CertificationError) as caught:
        read_request(bytes(data))
    assert caught.value.reason == "request-signature-invalid"


def test_a_request_with_anothers_key_is_refused() -> None:
    """Somebody puts a public key in whose private half they do not have: the proof of possession is missing."""
    own, stolen = new_key(), new_key()
    request = der_of(signing_request(own))
    own_info = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    stolen_info = stolen.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert load_der_public_key(stolen_info) != own.public_key()
    with pytest.raises(CertificationError) as caught:
        read_request(request.replace(own_info, stolen_info))
    assert caught.value.reason == "request-signature-invalid"


@pytest.mark.parametrize("algorithm", ["rsa-1024", "ec-p521"])
def test_a_key_that_is_not_believed_is_refused(algorithm: str) -> None:
    with pytest.raises(CertificationError) as caught:
        read_request(signing_request(new_key(algorithm)))
    assert caught.value.reason == "request-key-weak"


@pytest.mark.parametrize("algorithm", ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"])
def test_keys_that_are_believed(algorithm: str) -> None:
    key = new_key(algorithm)
    assert read_request(signing_request(key)) == key.public_key()
    assert read_request(der_of(signing_request(key))) == key.public_key()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        b"0" * (LARGEST_REQUEST + 1),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(CertificationError) as caught:
        read_request(data)
    assert caught.value.reason == "request-malformed"


def test_one_key_serves_one_identity_and_one_purpose(administration: Administration) -> None:
    key = new_key()
    issue_signing(administration, key)
    for order in (
        make_order(Kind.AUTHENTICATION, SERVER, None),
        make_order(Kind.AUTHENTICATION, OTHER_SERVER, None),
        make_order(Kind.SIGNING, OTHER_SERVER, OTHER_SERVER.owner),
    ):
        with pytest.raises(CertificationError) as caught:
            administration.issue(signing_request(key), order)
        assert caught.value.reason == "key-already-certified"


def test_of_two_requests_with_one_key_at_the_same_moment_one_is_refused(administration: Administration) -> None:
    key = new_key()
    orders = [make_order(Kind.AUTHENTICATION, SERVER, None), make_order(Kind.AUTHENTICATION, OTHER_SERVER, None)] * 3
    request = signing_request(key)

    def attempt(order: Order) -> str:
        try:
            administration.issue(request, order)
        except CertificationError as error:
            return error.reason
        return order.holder

    with ThreadPoolExecutor(len(orders)) as pool:
        outcomes = set(pool.map(attempt, orders))
    assert "key-already-certified" in outcomes
    assert len(outcomes) == 2, "one identity got the key, the other never"


def test_the_registrys_own_keys_are_not_certified_again(registry: ARegistry, administration: Administration) -> None:
    with pytest.raises(CertificationError) as caught:
        issue_authentication(administration, read_key(registry.state.tls, registry.settings))
    assert caught.value.reason == "key-already-certified"


def test_a_certificate_is_renewed_with_its_key_unless_that_was_compromised(administration: Administration) -> None:
    key = new_key()
    first, second = issue_signing(administration, key), issue_signing(administration, key)
    assert first.serial_number != second.serial_number
    administration.revoke(fingerprint(second), "superseded")
    issue_signing(administration, key)
    administration.revoke(fingerprint(first), "keyCompromise")
    with pytest.raises(CertificationError) as caught:
        issue_signing(administration, key)
    assert caught.value.reason == "key-compromised"


def test_a_server_that_does_not_host_the_member_gets_no_signing_certificate(administration: Administration) -> None:
    with pytest.raises(CertificationError) as caught:
        administration.issue(signing_request(), make_order(Kind.SIGNING, OTHER_SERVER, MEMBER))
    assert caught.value.reason == "member-not-hosted"


def test_unknown_and_suspended_parties_get_no_certificate(administration: Administration) -> None:
    for server, member, reason in (
        (ServerId("QROO", "EST", "SSP", "none"), None, "unknown-server"),
        (SERVER, MemberId("QROO", "EST", "NONE"), "unknown-member"),
        (ServerId("OTHER", "EST", "SSP", "gw2"), None, "unknown-instance"),
    ):
        kind = Kind.AUTHENTICATION if member is None else Kind.SIGNING
        with pytest.raises(UnknownPartyError) as unknown:
            administration.issue(signing_request(), make_order(kind, server, member))
        assert unknown.value.reason == reason
    administration.suspend(MEMBER, "a test")
    with pytest.raises(CertificationError) as caught:
        issue_authentication(administration)
    assert caught.value.reason == "party-suspended"


@pytest.mark.parametrize(("kind", "member"), [(Kind.SIGNING, None), (Kind.AUTHENTICATION, MEMBER), (Kind.TSA, None)])
def test_orders_that_make_no_sense_are_refused(kind: Kind, member: MemberId | None) -> None:
    with pytest.raises(CertificationError) as caught:
        make_order(kind, SERVER, member)
    assert caught.value.reason == "order-incomplete"


def test_a_refused_request_leaves_no_trace_among_the_certificates(administration: Administration) -> None:
    def count() -> int:
        with Session(administration.engine) as session:
            return len(session.scalars(select(Certificate.fingerprint)).all())

    before = count()
    with pytest.raises(CertificationError):
        administration.issue(signing_request(new_key("rsa-1024")), make_order(Kind.AUTHENTICATION, SERVER, None))
    assert count() == before


def test_the_certificate_points_at_the_status_responder(administration: Administration) -> None:
    extension = issue_signing(administration).extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    assert [each.access_location.value for each in extension.value] == ["http://127.0.0.1:8888/"]


def test_a_signing_certificate_is_for_a_key_that_messages_are_signed_with(administration: Administration) -> None:
    request = signing_request(new_key("ec-p384"))
    with pytest.raises(CertificationError) as caught:
        administration.issue(request, make_order(Kind.SIGNING, SERVER, MEMBER))
    assert caught.value.reason == "request-key-unfit"
    for_tls = administration.issue(request, make_order(Kind.AUTHENTICATION, SERVER, None))
    assert server_of(for_tls) == SERVER
