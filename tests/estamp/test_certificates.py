"""What is believed of a certificate: its kind, its name, its chain."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from estamp.certificates import (
    DOCUMENT_SIGNING,
    Kind,
    authentication_uri,
    check_chain,
    fingerprint,
    instance_of,
    kind_of,
    load_certificate,
    server_of,
    service_uri,
    signer_of,
    signing_uri,
)
from estamp.errors import CertificateError
from estamp.identifiers import MemberId, ServerId
from tests.pki import Credential, TestPki, key_usage, new_key
from tests.requirements_of_tests import require_module

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki(not_before=NOW - DAY)


@pytest.fixture(scope="module")
def foreign() -> TestPki:
    """Another hierarchy that calls itself the same."""
    return TestPki(not_before=NOW - DAY)


def chain_reason(leaf: Credential, pki: TestPki, at: dt.datetime = NOW, issuing: Credential | None = None) -> str:
    """Why the chain of `leaf` is refused; the test fails when it is not."""
    with pytest.raises(CertificateError) as caught:
        check_chain(leaf.certificate, [(issuing or pki.issuing).certificate], pki.root.certificate, at)
    return caught.value.reason


def kind_reason(credential: Credential) -> str:
    with pytest.raises(CertificateError) as caught:
        kind_of(credential.certificate)
    return caught.value.reason


EVERY_KIND = {
    "signing": Kind.SIGNING,
    "authentication": Kind.AUTHENTICATION,
    "tsa": Kind.TSA,
    "ocsp": Kind.OCSP,
    "root_ocsp": Kind.OCSP,
    "catalogue_signer": Kind.CATALOGUE_SIGNER,
    "registry": Kind.REGISTRY,
}


@pytest.mark.parametrize(("name", "kind"), EVERY_KIND.items())
def test_every_kind_is_told_and_chains_to_the_root(pki: TestPki, name: str, kind: Kind) -> None:
    credential: Credential = getattr(pki, name)
    expected = pki.root if name in ("root_ocsp", "catalogue_signer") else pki.issuing
    issuer = check_chain(credential.certificate, [pki.issuing.certificate], pki.root.certificate, NOW)
    assert kind_of(credential.certificate) is kind
    assert instance_of(credential.certificate) == "QROO"
    assert issuer == expected.certificate


@pytest.mark.parametrize("algorithm", ["ec-p384", "rsa-2048"])
def test_other_strong_keys_chain_too(algorithm: str) -> None:
    pki = TestPki(not_before=NOW - DAY, algorithm=algorithm)
    issuer = check_chain(pki.signing.certificate, [pki.issuing.certificate], pki.root.certificate, NOW)
    assert issuer == pki.issuing.certificate


def test_names_with_odd_characters_come_back_as_they_were(pki: TestPki) -> None:
    member = MemberId("QROO", "MUN", "a:b/ñ %")
    server = ServerId("QROO", "EST", "otra:casa", "gw/1")
    named = signer_of(pki.signing_for(member, server).certificate)
    assert (named.member, named.server) == (member, server)
    assert server_of(pki.authentication_for(server).certificate) == server


def test_an_authority_is_of_no_kind(pki: TestPki) -> None:
    assert kind_reason(pki.issuing) == "certificate-wrong-kind"
    uri = x509.UniformResourceIdentifier(service_uri(Kind.TSA, "QROO"))
    authority = pki.build(
        "TSA and CA",
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
            (x509.SubjectAlternativeName([uri]), False),
        ],
        issuer=pki.root,
    )
    assert kind_reason(authority) == "certificate-wrong-kind"


def test_a_name_of_one_kind_with_the_usages_of_another_is_refused(pki: TestPki) -> None:
    signing_name = x509.UniformResourceIdentifier(signing_uri(pki.member, pki.server))
    tls_name = x509.UniformResourceIdentifier(authentication_uri(pki.server))
    assert kind_reason(pki.issue(Kind.AUTHENTICATION, [signing_name], "x")) == "certificate-wrong-kind"
    assert kind_reason(pki.issue(Kind.SIGNING, [tls_name], "x")) == "certificate-wrong-kind"


@pytest.mark.parametrize(
    "names",
    [
        [],
        [
            "https://xacbe.invalid/signing/QROO/MUN/A:QROO/MUN/A/gw",
            "https://xacbe.invalid/signing/QROO/MUN/B:QROO/MUN/B/gw",
        ],
        ["https://xacbe.invalid/tsa/QROO"],
        ["https://xacbe.invalid/signing"],
        ["urn:xacbe:signing:QROO/MUN/A:QROO/MUN/A/gw"],
        ["https://xacbe.invalid/seal/QROO/MUN/A"],
        ["https://other.invalid/signing/QROO/MUN/A:QROO/MUN/A/gw"],
        ["https://xacbe.invalid/signing/QROO/MUN/A"],
        ["https://xacbe.invalid/signing/QROO/MUN/A:QROO/MUN/A"],
        ["https://xacbe.invalid/signing/QROO/MUN/A:QROO/MUN/A/gw:more"],
        ["https://xacbe.invalid/signing/QROO/MUN/%41:QROO/MUN/A/gw"],
        ["https://xacbe.invalid/signing/QROO/MUN/A:OTHER/MUN/A/gw"],
    ],
)
def test_a_signing_name_that_is_not_exactly_one_canonical_uri_is_refused(pki: TestPki, names: list[str]) -> None:
    credential = pki.issue(Kind.SIGNING, [x509.UniformResourceIdentifier(name) for name in names], "x")
    with pytest.raises(CertificateError) as caught:
        signer_of(credential.certificate)
    assert caught.value.reason == "certificate-wrong-kind"


def test_only_the_registry_has_host_names(pki: TestPki) -> None:
    names = [x509.UniformResourceIdentifier(authentication_uri(pki.server)), x509.DNSName("registry.example")]
    assert kind_reason(pki.issue(Kind.AUTHENTICATION, names, "x")) == "certificate-wrong-kind"


def test_a_signing_certificate_names_no_server_and_the_reverse(pki: TestPki) -> None:
    with pytest.raises(CertificateError):
        server_of(pki.signing.certificate)
    with pytest.raises(CertificateError):
        signer_of(pki.authentication.certificate)


@pytest.mark.parametrize(
    ("usages", "extended", "critical"),
    [
        (["content_commitment", "digital_signature"], [DOCUMENT_SIGNING], True),
        (["digital_signature"], [DOCUMENT_SIGNING], True),
        (["content_commitment"], [DOCUMENT_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH], True),
        (["content_commitment"], [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        (["content_commitment"], [DOCUMENT_SIGNING], False),
        (["content_commitment"], None, True),
        (None, [DOCUMENT_SIGNING], True),
    ],
)
def test_a_signing_certificate_states_its_usages_and_no_others(
    pki: TestPki, usages: list[str] | None, extended: list[x509.ObjectIdentifier] | None, critical: bool
) -> None:
    uri = x509.UniformResourceIdentifier(signing_uri(pki.member, pki.server))
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.SubjectAlternativeName([uri]), False)]
    if usages is not None:
        extensions.append((key_usage(*usages), critical))
    if extended is not None:
        extensions.append((x509.ExtendedKeyUsage(extended), False))
    assert kind_reason(pki.build("x", extensions, issuer=pki.issuing)) == "certificate-wrong-kind"


def test_a_tsa_needs_a_critical_usage_and_a_responder_nocheck(pki: TestPki) -> None:
    for kind, extended in [
        (Kind.TSA, ExtendedKeyUsageOID.TIME_STAMPING),
        (Kind.OCSP, ExtendedKeyUsageOID.OCSP_SIGNING),
    ]:
        uri = x509.UniformResourceIdentifier(service_uri(kind, "QROO"))
        credential = pki.build(
            "x",
            [
                (key_usage("digital_signature"), True),
                (x509.ExtendedKeyUsage([extended]), False),
                (x509.SubjectAlternativeName([uri]), False),
            ],
            issuer=pki.issuing,
        )
        assert kind_reason(credential) == "certificate-wrong-kind"


def test_an_unknown_critical_extension_is_refused_and_a_plain_one_is_not(pki: TestPki) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    uri = x509.UniformResourceIdentifier(service_uri(Kind.CATALOGUE_SIGNER, "QROO"))
    for critical in (False, True):
        credential = pki.build(
            "x",
            [
                (key_usage("content_commitment"), True),
                (x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), False),
                (x509.SubjectAlternativeName([uri]), False),
                (unknown, critical),
            ],
            issuer=pki.root,
        )
        if critical:
            assert kind_reason(credential) == "certificate-critical-extension"
            assert chain_reason(credential, pki) == "certificate-critical-extension"
            with pytest.raises(CertificateError):
                load_certificate(credential.der)
        else:
            assert kind_of(credential.certificate) is Kind.CATALOGUE_SIGNER


def test_a_duplicate_extension_is_refused(pki: TestPki) -> None:
    # The subject key identifier's OID becomes the authority key identifier's, which stands there already.
    der = pki.signing.der.replace(bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23"))
    with pytest.raises(CertificateError) as caught:
        load_certificate(der)
    assert caught.value.reason == "certificate-malformed"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("serial", [0, -5])
def test_a_serial_number_that_is_not_positive_is_refused(pki: TestPki, serial: int) -> None:
    parsed = asn1_x509.Certificate.load(pki.signing.der)
    parsed["tbs_certificate"]["serial_number"] = serial
    with pytest.raises(CertificateError) as caught:
        load_certificate(parsed.dump(force=True))
    assert caught.value.reason == "certificate-malformed"


@pytest.mark.parametrize("data", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError) as caught:
        load_certificate(data)
    assert caught.value.reason == "certificate-malformed"


def test_one_certificate_is_read_and_two_or_a_tail_are_not(pki: TestPki) -> None:
    assert fingerprint(load_certificate(pki.tsa.pem)) == fingerprint(load_certificate(pki.tsa.der))
    for data in (pki.tsa.pem + pki.issuing.pem, pki.tsa.der + b"\x00"):
        with pytest.raises(CertificateError):
            load_certificate(data)


def test_validity_of_every_certificate_on_the_chain_counts(pki: TestPki) -> None:
    young = pki.signing_for(pki.member, pki.server, not_before=NOW + DAY)
    old = pki.signing_for(pki.member, pki.server, not_after=NOW - dt.timedelta(seconds=1))
    assert chain_reason(young, pki) == "certificate-not-yet-valid"
    assert chain_reason(old, pki) == "certificate-expired"
    edge = pki.signing_for(pki.member, pki.server, not_after=NOW)
    check_chain(edge.certificate, [pki.issuing.certificate], pki.root.certificate, NOW)
    issuing = pki.authority("Short CA", issuer=pki.root, path_length=0, not_after=NOW - dt.timedelta(seconds=1))
    under_it = pki.signing_for(pki.member, pki.server, issuer=issuing)
    assert chain_reason(under_it, pki, issuing=issuing) == "certificate-expired"
    assert chain_reason(pki.signing, pki, at=NOW + dt.timedelta(days=400)) == "certificate-expired"


def test_a_foreign_hierarchy_with_the_same_names_is_refused(pki: TestPki, foreign: TestPki) -> None:
    assert chain_reason(foreign.signing, pki) == "certificate-chain"
    assert chain_reason(foreign.signing, pki, issuing=foreign.issuing) == "certificate-chain"
    assert chain_reason(foreign.catalogue_signer, pki) == "certificate-chain"


def test_without_the_issuing_authority_there_is_no_chain(pki: TestPki) -> None:
    with pytest.raises(CertificateError) as caught:
        check_chain(pki.signing.certificate, [], pki.root.certificate, NOW)
    assert caught.value.reason == "certificate-chain"


def test_a_renewed_authority_of_the_same_name_is_told_apart(pki: TestPki) -> None:
    renewed = pki.authority("Issuing CA", issuer=pki.root, path_length=0)
    both = [renewed.certificate, pki.issuing.certificate]
    assert check_chain(pki.signing.certificate, both, pki.root.certificate, NOW) == pki.issuing.certificate


def test_an_end_entity_issues_nothing(pki: TestPki) -> None:
    below = pki.signing_for(pki.member, pki.server, issuer=pki.signing)
    assert chain_reason(below, pki, issuing=pki.signing) == "certificate-chain"


@pytest.mark.parametrize("path_length", [None, 1])
def test_an_issuing_authority_limits_itself(pki: TestPki, path_length: int | None) -> None:
    wide = pki.authority("Wide CA", issuer=pki.root, path_length=path_length)
    leaf = pki.signing_for(pki.member, pki.server, issuer=wide)
    assert chain_reason(leaf, pki, issuing=wide) == "certificate-chain"


def test_a_root_that_allows_no_authority_below_it_is_obeyed() -> None:
    pki = TestPki(not_before=NOW - DAY)
    pki.__dict__["root"] = pki.authority("Root CA", issuer=None, path_length=0)
    assert chain_reason(pki.signing, pki) == "certificate-chain"
    assert check_chain(pki.catalogue_signer.certificate, [], pki.root.certificate, NOW) == pki.root.certificate


def test_an_authority_without_the_right_key_usage_issues_nothing(pki: TestPki) -> None:
    lame = pki.build(
        "Lame CA",
        [(x509.BasicConstraints(ca=True, path_length=0), True), (key_usage("crl_sign"), True)],
        issuer=pki.root,
    )
    leaf = pki.signing_for(pki.member, pki.server, issuer=lame)
    assert chain_reason(leaf, pki, issuing=lame) == "certificate-chain"


def test_the_root_itself_is_no_leaf(pki: TestPki) -> None:
    assert chain_reason(pki.root, pki) == "certificate-chain"


@pytest.mark.parametrize("algorithm", ["ec-p521", "rsa-1024"])
def test_weak_and_unlisted_keys_are_refused(pki: TestPki, algorithm: str) -> None:
    leaf = pki.signing_for(pki.member, pki.server, key=new_key(algorithm))
    assert chain_reason(leaf, pki) == "unsupported-algorithm"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_every_changed_byte_of_a_certificate_breaks_its_chain(pki: TestPki) -> None:
    der = pki.signing.der
    accepted = []
    for position in range(len(der)):
        for bit in range(8):
            changed = bytearray(der)
            changed[position] ^= 1 << bit
            try:
                certificate = load_certificate(bytes(changed))
                check_chain(certificate, [pki.issuing.certificate], pki.root.certificate, NOW)
            except CertificateError:
                continue
            accepted.append((position, bit))
    assert accepted == []


@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
def test_unused_bits_of_a_certificates_signature_are_refused(algorithm: str) -> None:
    pki = TestPki(not_before=NOW - DAY, algorithm=algorithm)
    # Unused bits have to be zero, so this spelling is only there when the signature happens to end so.
    while (credential := pki.signing_for(pki.member, pki.server)).certificate.signature[-1] & 1:
        pass
    der, signature = credential.der, credential.certificate.signature
    changed = der[: -len(signature) - 1] + b"\x01" + signature
    assert changed != der
    with pytest.raises(CertificateError) as caught:
        check_chain(load_certificate(changed), [pki.issuing.certificate], pki.root.certificate, NOW)
    assert caught.value.reason == "certificate-malformed"


@pytest.mark.parametrize("name", [*EVERY_KIND, "issuing", "root"])
def test_pkilint_finds_no_error_in_any_kind(pki: TestPki, tmp_path: Path, name: str) -> None:
    require_module("pkilint")
    file = tmp_path / "linted.der"
    odd = pki.signing_for(MemberId("QROO", "MUN", "a:b/ñ %'()+,-.=_~!*"), pki.server)
    for credential in (getattr(pki, name), odd):
        file.write_bytes(credential.der)
        command = [sys.executable, "-m", "pkilint.bin.lint_pkix_cert", "lint", "-s", "ERROR", str(file)]
        linted = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (linted.returncode, linted.stdout.strip(), linted.stderr) == (0, "", "")
