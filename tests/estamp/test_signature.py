"""The signature document: what stands in it is canonical XML already, and others' software finds the same digests.

lxml canonicalises, and this module recomputes digests and the signature value from what lxml gives: nothing of
estamp.signature takes part in the judging.
"""

import base64
import datetime as dt
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate
from lxml import etree

from estamp.errors import EstampError, SignatureError
from estamp.signature import (
    MANIFEST_ENTRY,
    SIGNATURE_ENTRY,
    Reference,
    read_signature,
    signature_value_element,
    write_manifest,
    write_signature,
)
from estamp.stamp import Signer, prepare
from tests.breaking import TOKEN, Instance, Stamped, answer, embedded, entry_of, published, request
from tests.pki import new_key

MOMENT = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
NAMESPACES = {
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xades": "http://uri.etsi.org/01903/v1.3.2#",
    "asic": "http://uri.etsi.org/02918/v1.2.1#",
    "manifest": "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0",
}


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance(not_before=MOMENT - dt.timedelta(days=1))


def messages(pki: Instance) -> dict[str, Stamped]:
    """Messages of every form; each signed with both kinds of key."""
    rsa_signer = pki.signing_for(pki.member, pki.server, key=new_key("rsa-2048"))
    forms = {
        "plain": request(pki, MOMENT),
        "empty-body": request(pki, MOMENT, body=b""),
        "body": request(pki, MOMENT, body=b"x" * 1000, media_type="application/json"),
        "answer": answer(pki, MOMENT),
        "catalogue": published(pki, MOMENT, b"{}"),
    }
    return forms | {f"{name}-rsa": form.but(signer=rsa_signer) for name, form in forms.items()}


FORMS = sorted(messages(Instance()))


@pytest.fixture(scope="module")
def containers(pki: Instance) -> dict[str, bytes]:
    return {name: stamped.container() for name, stamped in messages(pki).items()}


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def one(tree: etree._Element, path: str) -> etree._Element:
    found = tree.findall(path, NAMESPACES)
    assert len(found) == 1
    return found[0]


def text(element: etree._Element) -> bytes:
    return base64.b64decode(element.text or "")


def parsed(container: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(entry_of(container, SIGNATURE_ENTRY), parser)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", [".//ds:SignedInfo", ".//xades:SignedProperties", ".//ds:SignatureValue"])
def test_digested_elements_stand_there_in_canonical_form(containers: dict[str, bytes], name: str, path: str) -> None:
    document = entry_of(containers[name], SIGNATURE_ENTRY)
    assert document.count(canonical(one(parsed(containers[name]), path))) == 1


@pytest.mark.parametrize("name", FORMS)
def test_every_reference_holds_when_others_compute_it(containers: dict[str, bytes], name: str) -> None:
    tree = parsed(containers[name])
    references = tree.findall(".//ds:SignedInfo/ds:Reference", NAMESPACES)
    uris = [reference.get("URI") for reference in references]
    assert uris[-1] == "#SP"
    assert one(tree, ".//xades:SignedProperties").get("Id") == "SP"
    for reference, uri in zip(references, uris, strict=True):
        assert uri is not None
        method = one(reference, "ds:DigestMethod").get("Algorithm")
        assert method == "http://www.w3.org/2001/04/xmlenc#sha256"
        signed = canonical(one(tree, ".//xades:SignedProperties")) if uri == "#SP" else entry_of(containers[name], uri)
        assert text(one(reference, "ds:DigestValue")) == hashlib.sha256(signed).digest()
    formats = tree.findall(".//xades:DataObjectFormat", NAMESPACES)
    assert [f.get("ObjectReference") for f in formats] == [f"#{reference.get('Id')}" for reference in references[:-1]]


@pytest.mark.parametrize("name", FORMS)
def test_the_signature_value_holds_when_others_compute_it(containers: dict[str, bytes], name: str) -> None:
    tree = parsed(containers[name])
    certificate = load_der_x509_certificate(text(one(tree, ".//ds:X509Certificate")))
    value, info = text(one(tree, ".//ds:SignatureValue")), canonical(one(tree, ".//ds:SignedInfo"))
    method = one(tree, ".//ds:SignatureMethod").get("Algorithm")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        assert method == "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
        key.verify(value, info, padding.PKCS1v15(), SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert method == "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        assert len(value) == 64
        signature = encode_dss_signature(int.from_bytes(value[:32]), int.from_bytes(value[32:]))
        key.verify(signature, info, ec.ECDSA(SHA256()))
        with pytest.raises(InvalidSignature):
            key.verify(signature, info + b" ", ec.ECDSA(SHA256()))


def test_the_signed_properties_say_who_and_when(pki: Instance, containers: dict[str, bytes]) -> None:
    tree = parsed(containers["plain"])
    assert one(tree, ".//xades:SigningTime").text == "2026-03-02T10:00:00Z"
    digest = text(one(tree, ".//xades:SigningCertificateV2/xades:Cert/xades:CertDigest/ds:DigestValue"))
    assert digest == hashlib.sha256(pki.signing.der).digest()
    assert one(tree, ".//xades:QualifyingProperties").get("Target") == f"#{one(tree, 'ds:Signature').get('Id')}"


def test_the_timestamp_is_over_the_canonical_signature_value(containers: dict[str, bytes]) -> None:
    """XAdES, 5.3: over the SignatureValue element with its tags, canonicalised as the timestamp says."""
    tree = parsed(containers["plain"])
    method = one(tree, ".//xades:SignatureTimeStamp/ds:CanonicalizationMethod").get("Algorithm")
    assert method == "http://www.w3.org/2001/10/xml-exc-c14n#"
    imprint = hashlib.sha256(canonical(one(tree, ".//ds:SignatureValue"))).digest()
    assert imprint in embedded(containers["plain"], TOKEN)[0]
    value = text(one(tree, ".//ds:SignatureValue"))
    assert signature_value_element(value).encode() == canonical(one(tree, ".//ds:SignatureValue"))


@pytest.mark.parametrize("name", FORMS)
def test_what_is_read_makes_the_same_document(containers: dict[str, bytes], name: str) -> None:
    document = entry_of(containers[name], SIGNATURE_ENTRY)
    assert write_signature(read_signature(document)) == document


def test_our_own_signer_makes_what_the_builder_of_the_tests_makes(pki: Instance) -> None:
    """The builder in tests/breaking.py takes its own way to a container; estamp.stamp must come to the same bytes."""
    stamped = request(pki, MOMENT, body=b"x").but(
        signer=pki.signing_for(pki.member, pki.server, key=new_key("rsa-2048"))
    )
    signer = Signer(stamped.signer.certificate, stamped.signer.key, pki.issuing.certificate)
    prepared = prepare(stamped.entries, signer, MOMENT + dt.timedelta(microseconds=999_999))
    token, status = stamped.token(prepared.timestamp_imprint), stamped.status()
    built = stamped.but(make_token=lambda *_: token, make_status=lambda _: status).container()
    assert prepared.complete(token, status, pki.ocsp.certificate) == built


@pytest.mark.parametrize("algorithm", ["ec-p384", "ec-p521", "rsa-1024"])
def test_keys_that_messages_are_not_signed_with(pki: Instance, algorithm: str) -> None:
    credential = pki.signing_for(pki.member, pki.server, key=new_key(algorithm))
    with pytest.raises(EstampError) as caught:
        prepare((), Signer(credential.certificate, credential.key, pki.issuing.certificate), MOMENT)
    assert caught.value.reason == "unsupported-algorithm"


@pytest.mark.parametrize("document", [b"", b"<a/>", b"\xff\xfe", b"<ds:SignatureValue>" * 1000])
def test_what_is_no_signature_document(document: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        read_signature(document)
    assert caught.value.reason == "signature-malformed"


def test_the_manifest_is_read_by_others(containers: dict[str, bytes]) -> None:
    manifest = etree.fromstring(entry_of(containers["body"], MANIFEST_ENTRY))
    prefix = f"{{{NAMESPACES['manifest']}}}"
    rows = [
        (row.get(f"{prefix}full-path"), row.get(f"{prefix}media-type"))
        for row in manifest.findall("manifest:file-entry", NAMESPACES)
    ]
    assert rows == [
        ("/", "application/vnd.etsi.asic-e+zip"),
        ("request.http", "text/plain"),
        ("body", "application/json"),
    ]
    assert write_manifest([Reference("a", "text/plain", b"")]) == write_manifest([Reference("a", "text/plain", b"x")])
