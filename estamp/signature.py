"""The XAdES signature document (ETSI EN 319 132-1, baseline level LT), written from parts and read by rebuilding.

The document has one layout. The three elements that are digested or timestamped (SignedInfo, SignedProperties,
SignatureValue) stand in it already in exclusive canonical form, so any XAdES implementation that canonicalises
them gets these very bytes. A reader takes the variable fields out, writes the document anew from them and compares:
whatever is not byte for byte what a signer of this wire would have written is refused. No XML parser is involved,
so there are no entities, no DTDs and no second reading of one text.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from estamp.certificate_algorithms import public_key
from estamp.certificate_memory import load_certificate
from estamp.container import MEDIA_TYPE, Entry
from estamp.errors import ContainerError, SignatureError
from estamp.message import is_bare_media_type

MANIFEST_ENTRY: Final = "META-INF/manifest.xml"
SIGNATURE_ENTRY: Final = "META-INF/signatures0.xml"

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""A key that can sign messages: ECDSA P-256 (the default) or RSA of at least 2048 bits."""

MAX_DOCUMENT: Final = 64 * 1024
"""Largest signature document, in bytes; one with RSA keys and certificates of 4096 bits takes 20 KB."""

_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
_DIGEST_METHOD = f'<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
_DIGEST_METHOD_ALONE = f'<ds:DigestMethod xmlns:ds="{_DS}" Algorithm="{_SHA256}"></ds:DigestMethod>'
_COORDINATE = 32
_MAX_REFERENCES = 2


@dataclass(frozen=True, slots=True)
class Reference:
    """What the signature says of one entry: its name, its bare media type and its SHA-256."""

    name: str
    media_type: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class SignatureFields:
    """All that varies in a signature document.

    ``value`` is the raw XML-DSig signature value (ECDSA: r‖s, 64 bytes), ``token`` the RFC 3161 token's DER,
    ``certificates`` the DER of the issuing CA's and the status responder's certificates, ``status`` the RFC 6960
    response's DER.
    """

    references: tuple[Reference, ...]
    signing_time: datetime
    certificate: x509.Certificate
    value: bytes
    token: bytes
    certificates: tuple[bytes, ...]
    status: bytes


def references_to(entries: Sequence[Entry]) -> tuple[Reference, ...]:
    """References to the entries, hashing them."""
    return tuple(Reference(entry.name, entry.media_type, hashlib.sha256(entry.data).digest()) for entry in entries)


def write_manifest(references: Sequence[Reference]) -> bytes:
    """``META-INF/manifest.xml`` (OpenDocument 1.2 part 3, as EN 319 162-1 uses it)."""
    rows = "".join(
        f'<manifest:file-entry manifest:full-path="{reference.name}" manifest:media-type="{reference.media_type}"/>'
        for reference in references
    )
    return (
        f"{_DECLARATION}"
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
        'manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{MEDIA_TYPE}"/>{rows}'
        "</manifest:manifest>"
    ).encode()


def signed_properties(references: Sequence[Reference], certificate: bytes, signing_time: datetime) -> str:
    """The SignedProperties element in canonical form; ``certificate`` is the signer's DER."""
    digest = _base64(hashlib.sha256(certificate).digest())
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#R{number}">'
        f"<xades:MimeType>{reference.media_type}</xades:MimeType></xades:DataObjectFormat>"
        for number, reference in enumerate(references)
    )
    return (
        f'<xades:SignedProperties xmlns:xades="{_XADES}" Id="SP"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{_time_text(signing_time)}</xades:SigningTime>"
        f"<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>{_DIGEST_METHOD_ALONE}"
        f'<ds:DigestValue xmlns:ds="{_DS}">{digest}</ds:DigestValue>'
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>"
        f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties></xades:SignedProperties>"
    )


def signed_info(references: Sequence[Reference], properties: str, algorithm: str) -> str:
    """The SignedInfo element in canonical form: what the signature value is over."""
    rows = "".join(
        f'<ds:Reference Id="R{number}" URI="{reference.name}">{_DIGEST_METHOD}'
        f"<ds:DigestValue>{_base64(reference.digest)}</ds:DigestValue></ds:Reference>"
        for number, reference in enumerate(references)
    )
    digest = _base64(hashlib.sha256(properties.encode()).digest())
    return (
        f'<ds:SignedInfo xmlns:ds="{_DS}"><ds:CanonicalizationMethod Algorithm="{_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{algorithm}"></ds:SignatureMethod>{rows}'
        f'<ds:Reference Type="{_PROPERTIES_TYPE}" URI="#SP"><ds:Transforms><ds:Transform Algorithm="{_C14N}">'
        f"</ds:Transform></ds:Transforms>{_DIGEST_METHOD}<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
        "</ds:SignedInfo>"
    )


def signature_value_element(value: bytes) -> str:
    """The SignatureValue element in canonical form: what the timestamp is over."""
    return f'<ds:SignatureValue xmlns:ds="{_DS}" Id="SV">{_base64(value)}</ds:SignatureValue>'


def write_signature(fields: SignatureFields) -> bytes:
    """``META-INF/signatures0.xml`` from its fields; the one layout there is."""
    certificate = fields.certificate.public_bytes(Encoding.DER)
    properties = signed_properties(fields.references, certificate, fields.signing_time)
    info = signed_info(fields.references, properties, algorithm_of(fields.certificate))
    return assemble(info, properties, certificate, fields)


def assemble(info: str, properties: str, certificate: bytes, fields: SignatureFields) -> bytes:
    """The document around a SignedInfo and SignedProperties that were written before (the signer has them)."""
    kept = "".join(
        f"<xades:EncapsulatedX509Certificate>{_base64(der)}</xades:EncapsulatedX509Certificate>"
        for der in fields.certificates
    )
    return (
        f'{_DECLARATION}<asic:XAdESSignatures xmlns:asic="{_ASIC}"><ds:Signature xmlns:ds="{_DS}" Id="S">'
        f"{info}{signature_value_element(fields.value)}"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{_base64(certificate)}</ds:X509Certificate></ds:X509Data>"
        f'</ds:KeyInfo><ds:Object><xades:QualifyingProperties xmlns:xades="{_XADES}" Target="#S">{properties}'
        "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
        f'<xades:SignatureTimeStamp Id="TS"><ds:CanonicalizationMethod Algorithm="{_C14N}">'
        "</ds:CanonicalizationMethod>"
        f"<xades:EncapsulatedTimeStamp>{_base64(fields.token)}</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>"
        f"<xades:CertificateValues>{kept}</xades:CertificateValues>"
        "<xades:RevocationValues><xades:OCSPValues>"
        f"<xades:EncapsulatedOCSPValue>{_base64(fields.status)}</xades:EncapsulatedOCSPValue>"
        "</xades:OCSPValues></xades:RevocationValues>"
        "</xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties></ds:Object>"
        "</ds:Signature></asic:XAdESSignatures>"
    ).encode()


_B64 = rb"([A-Za-z0-9+/]+={0,2})"
_REFERENCE_FIELD = re.compile(rb'<ds:Reference Id="R[0-9]" URI="([A-Za-z0-9._-]{1,64})">')
_REFERENCE_DIGEST = re.compile(rb"<ds:DigestValue>" + _B64 + rb"</ds:DigestValue>")
_MIME_TYPE = re.compile(rb"<xades:MimeType>([^<>\"&]{1,140})</xades:MimeType>")
_TIME = re.compile(rb"<xades:SigningTime>([0-9TZ:-]{20})</xades:SigningTime>")
_VALUE = re.compile(rb' Id="SV">' + _B64 + rb"</ds:SignatureValue>")
_CERTIFICATE = re.compile(rb"<ds:X509Certificate>" + _B64 + rb"</ds:X509Certificate>")
_TOKEN = re.compile(rb"<xades:EncapsulatedTimeStamp>" + _B64 + rb"</xades:EncapsulatedTimeStamp>")
_KEPT = re.compile(rb"<xades:EncapsulatedX509Certificate>" + _B64 + rb"</xades:EncapsulatedX509Certificate>")
_STATUS = re.compile(rb"<xades:EncapsulatedOCSPValue>" + _B64 + rb"</xades:EncapsulatedOCSPValue>")


def read_signature(document: bytes) -> SignatureFields:
    """Take the fields out of a signature document and see that exactly this document comes of them.

    The patterns only find where fields may stand; it is the comparison that decides. Raises SignatureError
    (``signature-malformed``) for any document that :func:`write_signature` would not have written.
    """
    if len(document) > MAX_DOCUMENT:
        raise _malformed(f"it has {len(document)} bytes; at most {MAX_DOCUMENT} are allowed")
    names = [match.decode() for match in _REFERENCE_FIELD.findall(document)]
    digests = _REFERENCE_DIGEST.findall(document)
    media_types = [match.decode("latin-1") for match in _MIME_TYPE.findall(document)]
    # One digest more than references: that of the signed properties.
    if not (1 <= len(names) <= _MAX_REFERENCES and len(media_types) == len(names) and len(digests) == len(names) + 1):
        raise _malformed("its references and media types do not pair up")
    if not all(is_bare_media_type(media_type) for media_type in media_types):
        raise _malformed("a media type is not a bare type/subtype")
    try:
        references = tuple(
            Reference(name, media_type, _decode(digest))
            for name, media_type, digest in zip(names, media_types, digests, strict=False)
        )
        fields = SignatureFields(
            references=references,
            signing_time=_read_time(_only(_TIME, document, "SigningTime").decode()),
            certificate=load_certificate(_decode(_only(_CERTIFICATE, document, "X509Certificate"))),
            value=_decode(_only(_VALUE, document, "SignatureValue")),
            token=_decode(_only(_TOKEN, document, "EncapsulatedTimeStamp")),
            certificates=tuple(_decode(match) for match in _KEPT.findall(document)),
            status=_decode(_only(_STATUS, document, "EncapsulatedOCSPValue")),
        )
        if write_signature(fields) != document:
            raise _malformed("it is not byte for byte what its own fields make")
    except ValueError as error:
        raise _malformed(f"a field cannot be read ({error})") from None
    return fields


def sign(info: str, key: SigningKey) -> bytes:
    """The XML-DSig signature value over a canonical SignedInfo: ECDSA r‖s, or RSASSA-PKCS1-v1_5; SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(info.encode(), ec.ECDSA(SHA256())))
        return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)
    return key.sign(info.encode(), padding.PKCS1v15(), SHA256())


def verify_value(fields: SignatureFields) -> None:
    """See that the signature value holds over the SignedInfo; raises SignatureError (``signature-invalid``)."""
    certificate = fields.certificate
    properties = signed_properties(fields.references, certificate.public_bytes(Encoding.DER), fields.signing_time)
    info = signed_info(fields.references, properties, algorithm_of(certificate)).encode()
    key = public_key(certificate)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if len(fields.value) != 2 * _COORDINATE:
                raise InvalidSignature
            numbers = (int.from_bytes(fields.value[:_COORDINATE]), int.from_bytes(fields.value[_COORDINATE:]))
            key.verify(encode_dss_signature(*numbers), info, ec.ECDSA(SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(fields.value, info, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SignatureError(
            "signature-invalid", "the signature value does not hold under the signing certificate's key"
        ) from None


def algorithm_of(certificate: x509.Certificate) -> str:
    """The XML-DSig algorithm that goes with a certificate's key.

    Raises SignatureError or CertificateError (``unsupported-algorithm``) for a key off the list.
    """
    key = public_key(certificate)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _ECDSA
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return _RSA
    raise SignatureError("unsupported-algorithm", "messages are signed with ECDSA P-256 or RSA of 2048 bits or more")


def check_digests(references: Sequence[Reference], entries: Sequence[tuple[str, bytes]]) -> None:
    """See that the references name exactly the entries, in order, with their digests; raises ContainerError."""
    if [reference.name for reference in references] != [name for name, _ in entries]:
        raise ContainerError("entries-unsigned", "the signature does not name exactly the entries of the container")
    for reference, (name, data) in zip(references, entries, strict=True):
        if hashlib.sha256(data).digest() != reference.digest:
            raise SignatureError("content-changed", f"the entry {name} is not what was signed")


def _malformed(what: str) -> SignatureError:
    return SignatureError("signature-malformed", f"the signature document is not one that the wire allows: {what}")


def _only(pattern: re.Pattern[bytes], document: bytes, name: str) -> bytes:
    found: list[bytes] = pattern.findall(document)
    if len(found) != 1:
        raise _malformed(f"it has {len(found)} {name} elements of the expected form, not one")
    return found[0]


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


def _time_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
