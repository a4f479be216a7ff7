"""Reading status answers: what is believed, and that not one byte of an answer can change."""

import datetime as dt

import pytest
from asn1crypto import core as asn1_core
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from estamp.certificates import Kind, service_uri
from estamp.errors import StatusError
from estamp.status import CertificateStatus, StatusAnswer, issuer_hashes, make_request, read_answer
from tests.pki import Credential, PrivateKey, TestPki, key_usage, new_key

# producedAt is the machine's time in the library's builder, so the answers are about now.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
NONCE = bytes(range(32))


@pytest.fixture(scope="module")
def pki() -> TestPki:
    """A hierarchy that is valid at NOW."""
    return TestPki(not_before=NOW - dt.timedelta(days=1))


def answer_by(
    responder: Credential,
    pki: TestPki,
    *,
    about: Credential | None = None,
    enclose: bool = True,
    nonce: bytes | None = NONCE,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    revoked_at: dt.datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    this_update: dt.datetime = NOW,
    encoding: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
    extension: x509.ExtensionType | None = None,
    cert_id_hash: hashes.SHA1 | hashes.SHA256 | hashes.SHA512 | None = None,
) -> bytes:
    """An answer about pki.signing (or `about`), by the library's own builder, signed with `responder`'s key."""
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=(about or pki.signing).certificate,
            issuer=pki.issuing.certificate,
            algorithm=cert_id_hash or hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=NOW + dt.timedelta(hours=1),
            revocation_time=revoked_at,
            revocation_reason=reason,
        )
        .responder_id(encoding, responder.certificate)
    )
    if enclose:
        builder = builder.certificates([responder.certificate])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def read(der: bytes, pki: TestPki, nonce: bytes | None = NONCE) -> StatusAnswer:
    """Read an answer about pki.signing."""
    return read_answer(der, pki.signing.certificate, pki.issuing.certificate, nonce=nonce)


def refusal(der: bytes, pki: TestPki, nonce: bytes | None = NONCE) -> str:
    """The reason why an answer is refused; the test fails when it is not."""
    with pytest.raises(StatusError) as caught:
        read(der, pki, nonce)
    return caught.value.reason


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
@pytest.mark.parametrize("cert_id_hash", [hashes.SHA1(), hashes.SHA256()])
def test_a_delegated_responders_good_answer_is_read(
    pki: TestPki, encoding: ocsp.OCSPResponderEncoding, cert_id_hash: hashes.SHA1 | hashes.SHA256
) -> None:
    der = answer_by(pki.ocsp, pki, encoding=encoding, cert_id_hash=cert_id_hash)
    answer = read(der, pki)
    assert answer.status is CertificateStatus.GOOD
    assert (answer.der, answer.responder) == (der, pki.ocsp.certificate)
    assert (answer.revoked_at, answer.revocation_reason) == (None, None)
    assert (answer.this_update, answer.next_update) == (NOW, NOW + dt.timedelta(hours=1))
    assert abs(answer.produced_at - NOW) < dt.timedelta(minutes=5)


def test_an_answer_signed_by_the_issuer_itself_encloses_nothing(pki: TestPki) -> None:
    answer = read(answer_by(pki.issuing, pki, enclose=False), pki)
    assert answer.responder == pki.issuing.certificate
    # The delegate's signature without the delegate's certificate is nobody's.
    assert refusal(answer_by(pki.ocsp, pki, enclose=False), pki) == "status-unauthorised-responder"


@pytest.mark.parametrize("algorithm", ["rsa-2048", "ec-p384"])
def test_other_strong_keys_answer_too(algorithm: str) -> None:
    other = TestPki(algorithm=algorithm)
    assert read(answer_by(other.ocsp, other), other).status is CertificateStatus.GOOD


@pytest.mark.parametrize("reason", [None, x509.ReasonFlags.key_compromise, x509.ReasonFlags.cessation_of_operation])
def test_a_revocation_comes_with_its_time_and_reason(pki: TestPki, reason: x509.ReasonFlags | None) -> None:
    at = NOW - dt.timedelta(hours=5)
    answer = read(answer_by(pki.ocsp, pki, status=ocsp.OCSPCertStatus.REVOKED, revoked_at=at, reason=reason), pki)
    assert answer.status is CertificateStatus.REVOKED
    assert (answer.revoked_at, answer.revocation_reason) == (at, reason.value if reason else None)


def test_unknown_is_told_as_unknown(pki: TestPki) -> None:
    answer = read(answer_by(pki.ocsp, pki, status=ocsp.OCSPCertStatus.UNKNOWN), pki)
    assert answer.status is CertificateStatus.UNKNOWN


def test_the_nonce_that_was_sent_must_come_back(pki: TestPki) -> None:
    der = answer_by(pki.ocsp, pki)
    assert read(der, pki, nonce=None).status is CertificateStatus.GOOD
    assert refusal(der, pki, nonce=bytes(32)) == "status-nonce"
    assert refusal(answer_by(pki.ocsp, pki, nonce=None), pki) == "status-nonce"


def test_an_answer_about_another_certificate_is_refused(pki: TestPki) -> None:
    assert refusal(answer_by(pki.ocsp, pki, about=pki.authentication), pki) == "status-other-certificate"
    der = answer_by(pki.ocsp, pki)
    with pytest.raises(StatusError) as caught:
        read_answer(der, pki.signing.certificate, pki.root.certificate, nonce=None)
    assert caught.value.reason == "status-other-certificate"


def test_a_certificate_id_with_another_digest_is_refused(pki: TestPki) -> None:
    assert refusal(answer_by(pki.ocsp, pki, cert_id_hash=hashes.SHA512()), pki) == "status-malformed"


def responder_with(pki: TestPki, *, usage: str, extended: x509.ObjectIdentifier, nocheck: bool) -> Credential:
    """A would-be responder that the issuing CA certified, with these usages."""
    uri = x509.UniformResourceIdentifier(service_uri(Kind.OCSP, pki.instance))
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (key_usage(usage), True),
        (x509.ExtendedKeyUsage([extended]), False),
        (x509.SubjectAlternativeName([uri]), False),
    ]
    if nocheck:
        extensions.append((x509.OCSPNoCheck(), False))
    return pki.build("responder", extensions, issuer=pki.issuing)


def test_only_a_delegated_responder_may_answer(pki: TestPki) -> None:
    ocsp_signing, client = ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH
    unauthorised = [
        pki.signing,
        pki.authentication,
        pki.tsa,
        pki.root_ocsp,
        TestPki().ocsp,
        TestPki().root,
        responder_with(pki, usage="digital_signature", extended=ocsp_signing, nocheck=False),
        responder_with(pki, usage="content_commitment", extended=ocsp_signing, nocheck=True),
        responder_with(pki, usage="digital_signature", extended=client, nocheck=True),
        pki.service(Kind.OCSP, key=new_key("ec-p521")),
    ]
    for responder in unauthorised:
        assert refusal(answer_by(responder, pki), pki) == "status-unauthorised-responder"


def test_the_responder_must_have_been_valid_when_it_answered(pki: TestPki) -> None:
    past = pki.service(Kind.OCSP, not_after=NOW - dt.timedelta(hours=1))
    future = pki.service(Kind.OCSP, not_before=NOW + dt.timedelta(hours=1))
    assert refusal(answer_by(past, pki), pki) == "status-unauthorised-responder"
    assert refusal(answer_by(future, pki), pki) == "status-unauthorised-responder"


def signed_anew(der: bytes, key: PrivateKey) -> bytes:
    """The same answer with its signature made by another key: the library's builder refuses to be asked for that."""
    parsed = asn1_ocsp.OCSPResponse.load(der)
    basic = parsed["response_bytes"]["response"].parsed
    tbs = basic["tbs_response_data"].dump()
    if isinstance(key, rsa.RSAPrivateKey):
        basic["signature_algorithm"] = {"algorithm": "sha256_rsa"}
        basic["signature"] = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    else:
        basic["signature"] = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    parsed["response_bytes"]["response"] = asn1_core.ParsableOctetString(basic.dump(force=True))
    dumped: bytes = parsed.dump(force=True)
    return dumped


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
def test_the_named_responder_is_the_enclosed_one(pki: TestPki, encoding: ocsp.OCSPResponderEncoding) -> None:
    other = pki.service(Kind.OCSP, name="another responder")
    names_other = answer_by(other, pki, encoding=encoding)
    parsed = asn1_ocsp.OCSPResponse.load(names_other)
    basic = parsed["response_bytes"]["response"].parsed
    basic["certs"][0] = asn1_x509.Certificate.load(pki.ocsp.der)
    parsed["response_bytes"]["response"] = asn1_core.ParsableOctetString(basic.dump(force=True))
    der = signed_anew(parsed.dump(force=True), pki.ocsp.key)
    assert refusal(der, pki) == "status-unauthorised-responder"


def test_a_signature_by_another_key_is_refused(pki: TestPki) -> None:
    der = answer_by(pki.ocsp, pki)
    assert read(signed_anew(der, pki.ocsp.key), pki).status is CertificateStatus.GOOD
    assert refusal(signed_anew(der, new_key()), pki) == "status-invalid"
    assert refusal(signed_anew(der, new_key("rsa-2048")), pki) == "status-invalid"


def test_an_unknown_critical_extension_is_refused(pki: TestPki) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    assert refusal(answer_by(pki.ocsp, pki, extension=unknown), pki) == "status-malformed"


def test_times_that_contradict_each_other_are_refused(pki: TestPki) -> None:
    assert refusal(answer_by(pki.ocsp, pki, this_update=NOW + dt.timedelta(minutes=30)), pki) == "status-invalid"


def test_more_than_the_responders_certificate_is_refused(pki: TestPki) -> None:
    builder = ocsp.OCSPResponseBuilder().add_response(
        pki.signing.certificate,
        pki.issuing.certificate,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        NOW,
        None,
        None,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, pki.ocsp.certificate)
    builder = builder.certificates([pki.ocsp.certificate, pki.issuing.certificate])
    der = builder.sign(pki.ocsp.key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert refusal(der, pki, nonce=None) == "status-malformed"


def test_an_answer_about_two_certificates_is_refused(pki: TestPki) -> None:
    parsed = asn1_ocsp.OCSPResponse.load(answer_by(pki.ocsp, pki))
    basic = parsed["response_bytes"]["response"].parsed
    basic["tbs_response_data"]["responses"].append(basic["tbs_response_data"]["responses"][0].copy())
    parsed["response_bytes"]["response"] = asn1_core.ParsableOctetString(basic.dump(force=True))
    assert refusal(signed_anew(parsed.dump(force=True), pki.ocsp.key), pki) == "status-malformed"


@pytest.mark.parametrize(
    "status", [each for each in ocsp.OCSPResponseStatus if each is not ocsp.OCSPResponseStatus.SUCCESSFUL]
)
def test_a_responder_that_declines_is_told_apart(pki: TestPki, status: ocsp.OCSPResponseStatus) -> None:
    der = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    assert refusal(der, pki) == "status-unavailable"


@pytest.mark.parametrize("data", [b"", b"0", b"\x30\x00", b"<html></html>", bytes(4000)])
def test_what_is_no_answer_is_refused(pki: TestPki, data: bytes) -> None:
    assert refusal(data, pki) == "status-malformed"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("delegated", [True, False])
@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
def test_no_byte_of_an_answer_can_change(algorithm: str, delegated: bool) -> None:
    pki = TestPki(algorithm=algorithm)
    der = answer_by(pki.ocsp if delegated else pki.issuing, pki, enclose=delegated)
    # Read once unchanged, so that whatever is remembered of the responder is remembered.
    assert read(der, pki).der == der
    accepted = []
    for position in range(len(der)):
        for change in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(der)
            changed[position] ^= change
            try:
                read(bytes(changed), pki, nonce=None)
            except StatusError:
                continue
            accepted.append((position, change))
    assert accepted == []


def test_nothing_can_be_added_or_cut_off(pki: TestPki) -> None:
    der = answer_by(pki.ocsp, pki)
    for changed in (der + b"\x00", der[:-1], der[1:], b"\x00" + der, der + der):
        assert refusal(changed, pki) == "status-malformed"


def test_a_longer_spelling_of_the_same_answer_is_refused(pki: TestPki) -> None:
    der = answer_by(pki.ocsp, pki)
    assert der[:2] == b"\x30\x82"
    assert refusal(b"\x30\x83\x00" + der[2:], pki) == "status-malformed"


def test_a_request_names_the_certificate_and_carries_the_nonce(pki: TestPki) -> None:
    request = ocsp.load_der_ocsp_request(make_request(pki.signing.certificate, pki.issuing.certificate, NONCE))
    expected = issuer_hashes(pki.issuing.certificate, "sha1")
    assert request.serial_number == pki.signing.certificate.serial_number
    assert (request.issuer_name_hash, request.issuer_key_hash) == (expected.name, expected.key)
    assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == NONCE


@pytest.mark.parametrize("algorithm", ["ec-p256", "ec-p384", "rsa-2048"])
@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256()])
def test_issuers_are_named_as_the_library_names_them(algorithm: str, digest: hashes.SHA1 | hashes.SHA256) -> None:
    pki = TestPki(algorithm=algorithm)
    builder = ocsp.OCSPRequestBuilder().add_certificate(pki.signing.certificate, pki.issuing.certificate, digest)
    request, expected = builder.build(), issuer_hashes(pki.issuing.certificate, digest.name)
    assert (request.issuer_name_hash, request.issuer_key_hash) == (expected.name, expected.key)
