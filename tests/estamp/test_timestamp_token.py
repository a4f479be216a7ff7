"""Tokens: what a genuine one says, and that nothing but a genuine one is accepted."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from estamp import der
from estamp.certificates import Kind
from estamp.errors import TimestampError
from estamp.timestamp import (
    TimestampRequest,
    make_request,
    make_response,
    read_request,
    read_response,
    read_token,
)
from estamp.timestamp_structure import (
    SCHEMES,
    SHA256_OID,
    SHA384_OID,
    SignatureScheme,
    TokenParts,
    TstInfo,
    encode_signed_attributes,
    issuer_and_serial_of,
)
from tests.pki import Credential, TestPki, new_key

IMPRINT = hashlib.sha256(b"signature value").digest()
NONCE = 0xFEDCBA9876543210
SERIAL = 1_795_000_000_000_000_000 << 64 | 0x0123456789ABCDEF
TIME = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
POLICY = "2.999.1"
STATEMENT = TstInfo(POLICY, SHA256_OID, False, IMPRINT, SERIAL, TIME, 1, NONCE)

PKI = TestPki()
TSA = PKI.tsa
ALGORITHMS = ["ec-p256", "ec-p384", "rsa-2048"]
KEYS = {algorithm: new_key(algorithm) for algorithm in ALGORITHMS}


def credential(algorithm: str) -> Credential:
    return PKI.service(Kind.TSA, key=KEYS[algorithm])


def grant(tsa: Credential, *, chain: tuple[x509.Certificate, ...] = (), request: bytes | None = None) -> bytes:
    return make_response(
        read_request(request or make_request(IMPRINT, NONCE)),
        serial=SERIAL,
        time=TIME.replace(microsecond=999_999),
        policy=POLICY,
        certificate=tsa.certificate,
        chain=chain,
        key=tsa.key,
    )


def token_of(tsa: Credential, *, chain: tuple[x509.Certificate, ...] = ()) -> bytes:
    return read_response(grant(tsa, chain=chain), imprint=IMPRINT, nonce=NONCE)


def scheme_of(tsa: Credential, digest: str = "sha256") -> SignatureScheme:
    wanted = "ec" if isinstance(tsa.key, ec.EllipticCurvePrivateKey) else "rsa"
    return next(each for each in SCHEMES.values() if each.key_type == wanted and each.hash_algorithm.name == digest)


def sign(
    tst_info: bytes,
    tsa: Credential,
    *,
    scheme: SignatureScheme | None = None,
    certificates: tuple[bytes, ...] | None = None,
    named: tuple[bytes, ...] | None = None,
    attributes: Callable[[bytes], bytes] = lambda genuine: genuine,
) -> TokenParts:
    """Sign any statement with `tsa`'s key, correctly, whatever else is wrong with it."""
    scheme = scheme or scheme_of(tsa)
    certificates = (tsa.der,) if certificates is None else certificates
    digests = [hashlib.sha256(each).digest() for each in (certificates if named is None else named)]
    genuine = encode_signed_attributes(hashlib.new(scheme.hash_algorithm.name, tst_info).digest(), digests)
    parts = TokenParts(scheme, tst_info, certificates, issuer_and_serial_of(tsa.der), attributes(genuine), b"")
    if isinstance(tsa.key, ec.EllipticCurvePrivateKey):
        signature = tsa.key.sign(parts.to_be_signed(), ec.ECDSA(scheme.hash_algorithm))
    else:
        signature = tsa.key.sign(parts.to_be_signed(), padding.PKCS1v15(), scheme.hash_algorithm)
    return parts.with_signature(signature)


def refusal_of(token: bytes, imprint: bytes = IMPRINT) -> str:
    with pytest.raises(TimestampError) as caught:
        read_token(token, imprint)
    return caught.value.reason


@pytest.mark.parametrize("enclosed", [False, True], ids=["alone", "with-chain"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_reads_back(algorithm: str, enclosed: bool) -> None:
    tsa = credential(algorithm)
    chain = tsa.chain if enclosed else ()
    token = token_of(tsa, chain=chain)
    found = read_token(token, IMPRINT)
    assert found.time == TIME
    assert found.serial == SERIAL
    assert found.policy == POLICY
    assert found.nonce == NONCE
    assert found.accuracy_seconds == 1
    assert found.certificate == tsa.certificate
    assert found.intermediates == chain
    assert found.token == token


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_byte_of_a_token_can_be_changed(algorithm: str) -> None:
    token = token_of(credential(algorithm), chain=(PKI.issuing.certificate,))
    for position in range(len(token)):
        for change in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(token)
            changed[position] ^= change
            with pytest.raises(TimestampError):
                read_token(bytes(changed), IMPRINT)


def test_no_byte_of_a_token_can_be_taken_away_doubled_or_added() -> None:
    token = token_of(TSA, chain=TSA.chain)
    for position in range(len(token)):
        for changed in (token[:position], token[:position] + token[position + 1 :]):
            with pytest.raises(TimestampError):
                read_token(changed, IMPRINT)
        doubled = token[: position + 1] + token[position:]
        with pytest.raises(TimestampError):
            read_token(doubled, IMPRINT)


def test_a_token_is_the_der_that_asn1crypto_would_write() -> None:
    token = token_of(TSA, chain=TSA.chain)
    content = cms.ContentInfo.load(token, strict=True)
    signed_data = content["content"]
    assert content["content_type"].native == "signed_data"
    assert signed_data["encap_content_info"]["content_type"].native == "tst_info"
    (signer,) = signed_data["signer_infos"]
    kinds = {attribute["type"].native for attribute in signer["signed_attrs"]}
    assert kinds == {"content_type", "message_digest", "signing_certificate_v2"}
    assert content.dump(force=True) == token


def test_a_token_for_another_signature_is_named_so() -> None:
    assert refusal_of(token_of(TSA), hashlib.sha256(b"another").digest()) == "timestamp-other-signature"


def test_an_imprint_by_another_algorithm_is_another_imprint() -> None:
    long = replace(STATEMENT, hash_oid=SHA384_OID, imprint=IMPRINT + b"\0" * 16)
    assert refusal_of(sign(long.encode(), TSA).encode()) == "timestamp-other-signature"
    disguised = replace(STATEMENT, hash_oid="2.999.256")
    assert refusal_of(sign(disguised.encode(), TSA).encode()) == "timestamp-other-signature"


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_listed_digest_is_accepted_with_every_listed_key(algorithm: str, digest: str) -> None:
    tsa = credential(algorithm)
    token = sign(STATEMENT.encode(), tsa, scheme=scheme_of(tsa, digest)).encode()
    assert read_token(token, IMPRINT).serial == SERIAL


@pytest.mark.parametrize("algorithm", ["ec-p521", "rsa-1024"])
def test_keys_off_the_list_are_neither_used_nor_believed(algorithm: str) -> None:
    tsa = PKI.service(Kind.TSA, key=new_key(algorithm))
    with pytest.raises(ValueError, match="2048 bits"):
        grant(tsa)
    assert refusal_of(sign(STATEMENT.encode(), tsa).encode()) == "timestamp-invalid"


def test_a_signature_by_another_key_is_refused() -> None:
    genuine = sign(STATEMENT.encode(), TSA)
    forged = sign(STATEMENT.encode(), Credential(TSA.certificate, new_key()))
    assert read_token(genuine.encode(), IMPRINT).certificate == TSA.certificate
    assert refusal_of(forged.encode()) == "timestamp-invalid"


def test_a_signature_algorithm_must_fit_the_key() -> None:
    parts = replace(sign(STATEMENT.encode(), TSA), scheme=scheme_of(credential("rsa-2048")))
    assert refusal_of(parts.encode()) == "timestamp-invalid"


def twin(tsa: Credential) -> Credential:
    """A certificate with the same issuer, serial number, names and key as `tsa`'s, that is yet another one."""
    original = tsa.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(original.subject)
        .issuer_name(original.issuer)
        .public_key(original.public_key())
        .serial_number(original.serial_number)
        .not_valid_before(original.not_valid_before_utc)
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
    )
    for extension in original.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key = PKI.issuing.key
    return Credential(builder.sign(key, PKI.issuing.certificate.signature_hash_algorithm), tsa.key, tsa.chain)  # type: ignore[arg-type]


def test_the_authoritys_certificate_cannot_be_swapped() -> None:
    parts = TokenParts.decode(token_of(TSA))
    other = PKI.service(Kind.TSA)
    for certificate in (twin(TSA).der, other.der):
        assert refusal_of(replace(parts, certificates=(certificate,)).encode()) == "timestamp-invalid"
    renamed = replace(parts, certificates=(other.der,), issuer_and_serial=issuer_and_serial_of(other.der))
    assert refusal_of(renamed.encode()) == "timestamp-invalid"


def test_the_signer_named_must_be_the_certificate_that_the_attributes_name_first() -> None:
    other = PKI.service(Kind.TSA)
    parts = sign(STATEMENT.encode(), TSA, certificates=(TSA.der, other.der), named=(other.der, TSA.der))
    assert refusal_of(parts.encode()) == "timestamp-invalid"


def test_enclosed_certificates_can_neither_be_added_nor_removed_nor_swapped() -> None:
    issuing = PKI.issuing.der
    root = PKI.root.certificate.public_bytes(Encoding.DER)
    alone = TokenParts.decode(token_of(TSA))
    chained = TokenParts.decode(token_of(TSA, chain=TSA.chain))
    for changed in (
        replace(alone, certificates=(TSA.der, issuing)),
        replace(alone, certificates=(TSA.der, TSA.der)),
        replace(alone, certificates=()),
        replace(chained, certificates=(TSA.der,)),
        replace(chained, certificates=(issuing,)),
        replace(chained, certificates=(TSA.der, root)),
    ):
        assert refusal_of(changed.encode()) == "timestamp-invalid"


def test_the_statement_cannot_be_swapped() -> None:
    parts = TokenParts.decode(token_of(TSA))
    later = replace(STATEMENT, time=TIME.replace(hour=13))
    assert refusal_of(replace(parts, tst_info=later.encode()).encode()) == "timestamp-invalid"


def test_certificates_out_of_order_are_refused() -> None:
    token = token_of(TSA, chain=TSA.chain)
    first, second = sorted((TSA.der, PKI.issuing.der))
    assert refusal_of(token.replace(first + second, second + first)) == "timestamp-malformed"


def statement_with(*elements: bytes) -> bytes:
    """The statement's fields up to its time, then others."""
    plain = der.Reader(replace(STATEMENT, accuracy_seconds=None, nonce=None).encode()).contents(der.SEQUENCE)
    return der.sequence(plain, *elements)


@pytest.mark.parametrize(
    "tst_info",
    [
        pytest.param(statement_with(der.TRUE), id="ordering"),
        pytest.param(statement_with(der.FALSE), id="default written out"),
        pytest.param(statement_with(der.integer(7), der.sequence(der.integer(1))), id="nonce before accuracy"),
        pytest.param(statement_with(der.sequence(b"\x80\x01\x05")), id="accuracy in milliseconds"),
        pytest.param(statement_with(der.sequence(der.integer(0))), id="accuracy of nothing"),
        pytest.param(statement_with(der.tlv(der.context(1), der.sequence())), id="extensions"),
        pytest.param(statement_with(der.integer(1 << 600)), id="nonce without end"),
        pytest.param(replace(STATEMENT, serial=0).encode(), id="serial number zero"),
        pytest.param(replace(STATEMENT, serial=-5).encode(), id="negative serial number"),
        pytest.param(replace(STATEMENT, serial=1 << 160).encode(), id="serial number of 161 bits"),
        pytest.param(STATEMENT.encode().replace(b"20261120123456Z", b"20261120123460Z"), id="impossible time"),
        pytest.param(STATEMENT.encode() + b"\0", id="something after it"),
        pytest.param(b"\x30\x03\x02\x01\x02", id="another version"),
    ],
)
def test_a_statement_in_another_form_is_refused_even_when_signed(tst_info: bytes) -> None:
    assert refusal_of(sign(tst_info, TSA).encode()) == "timestamp-malformed"


def test_accuracy_and_nonce_may_be_missing() -> None:
    found = read_token(sign(statement_with(), TSA).encode(), IMPRINT)
    assert (found.accuracy_seconds, found.nonce) == (None, None)


def test_signed_attributes_are_exactly_the_three() -> None:
    signing_time = der.sequence(
        der.object_identifier("1.2.840.113549.1.9.5"), der.tlv(der.SET, der.tlv(0x17, b"261120123456Z"))
    )
    more = sign(STATEMENT.encode(), TSA, attributes=lambda genuine: genuine + signing_time)
    assert refusal_of(more.encode()) == "timestamp-invalid"
    none = sign(STATEMENT.encode(), TSA, attributes=lambda genuine: b"")
    assert refusal_of(none.encode()) == "timestamp-malformed"


def test_an_unsigned_attribute_is_refused() -> None:
    parts = sign(STATEMENT.encode(), TSA)
    signature = der.octet_string(parts.signature)
    attribute = der.tlv(der.context(1), der.sequence(der.object_identifier("2.999.9"), der.tlv(der.SET, der.NULL)))
    content = cms.ContentInfo.load(parts.encode())
    signer = cms.SignerInfo.load(content["content"]["signer_infos"][0].dump())
    body = signer.contents
    assert body.endswith(signature)
    content["content"]["signer_infos"] = cms.SignerInfos([cms.SignerInfo.load(der.sequence(body, attribute))])
    assert refusal_of(content.dump(force=True)) == "timestamp-malformed"


def test_a_second_signer_is_refused() -> None:
    content = cms.ContentInfo.load(token_of(TSA))
    signer = content["content"]["signer_infos"][0]
    content["content"]["signer_infos"] = cms.SignerInfos([signer, signer.copy()])
    assert refusal_of(content.dump(force=True)) == "timestamp-malformed"


def test_a_token_without_its_certificate_is_refused() -> None:
    request = TimestampRequest(imprint=IMPRINT, hash_oid=SHA256_OID, nonce=NONCE, certificate_requested=False)
    encoded = make_response(
        request,
        serial=SERIAL,
        time=TIME,
        policy=POLICY,
        certificate=TSA.certificate,
        chain=TSA.chain,
        key=TSA.key,
    )
    token = read_response(encoded, imprint=IMPRINT, nonce=NONCE)
    assert TokenParts.decode(token).certificates == ()
    assert refusal_of(token) == "timestamp-invalid"


def test_a_token_without_bounds_is_refused_before_it_is_read() -> None:
    assert refusal_of(der.sequence(b"\0" * 65536)) == "timestamp-malformed"
