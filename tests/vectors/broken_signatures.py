"""Vectors whose signature document is not the one that the wire allows, though its signature value may hold."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace

from tests.breaking import Stamped
from tests.pki import new_key
from tests.vectors.scene import Case, Scene

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    for name, what, stamped in (*_documents(scene), *_resigned(scene)):
        yield Case(name, what, stamped.container(), "signature-malformed", "signature-document")
    yield from _keys(scene)


def _documents(scene: Scene) -> Iterator[tuple[str, str, Stamped]]:
    """Rewritten after signing, without touching what is signed (or so that canonicalisation would undo it)."""

    def rewritten(old: str, new: str, count: int = 1) -> Stamped:
        def rewrite(document: str) -> str:
            assert old in document
            return document.replace(old, new, count)

        return scene.request_with_body.but(rewrite_document=rewrite)

    doctype = f"{_DECLARATION}<!DOCTYPE asic:XAdESSignatures>"
    yield "xml-doctype", "a document type declaration", rewritten(_DECLARATION, doctype)
    entity = f'{_DECLARATION}<!DOCTYPE asic:XAdESSignatures [<!ENTITY body "body">]>'
    yield (
        "xml-entity",
        "an entity is declared and used",
        scene.request_with_body.but(
            rewrite_document=lambda text: text.replace(_DECLARATION, entity, 1).replace('URI="body"', 'URI="&body;"', 1)
        ),
    )
    yield "xml-byte-order-mark", "a byte order mark", rewritten(_DECLARATION, "\ufeff" + _DECLARATION)
    yield "xml-no-declaration", "no XML declaration", rewritten(_DECLARATION, "")
    yield "xml-comment", "a comment", rewritten("<ds:KeyInfo>", "<!-- --><ds:KeyInfo>")
    yield (
        "xml-comment-in-value",
        "a comment inside a signed value, which canonicalisation drops",
        rewritten("</ds:SignatureValue>", "<!-- --></ds:SignatureValue>"),
    )
    yield "xml-processing-instruction", "a processing instruction", rewritten("<ds:KeyInfo>", "<?x y?><ds:KeyInfo>")
    yield "xml-whitespace", "a line feed between two elements", rewritten("<ds:KeyInfo>", "\n<ds:KeyInfo>")
    yield "xml-whitespace-in-tag", "a blank inside a tag", rewritten("<ds:KeyInfo>", "<ds:KeyInfo >")
    yield (
        "xml-trailing-line-feed",
        "a line feed at the end",
        rewritten("</asic:XAdESSignatures>", "</asic:XAdESSignatures>\n"),
    )
    yield "xml-quotes", "an attribute in single quotes", rewritten('Target="#S"', "Target='#S'")
    yield (
        "xml-empty-element",
        "an element without content, written short",
        rewritten(
            f'<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>', f'<ds:DigestMethod Algorithm="{_SHA256}"/>'
        ),
    )
    yield "xml-character-reference", "a character reference", rewritten('URI="body"', 'URI="&#98;ody"')
    yield (
        "xml-cdata",
        "a value as CDATA",
        rewritten("<xades:MimeType>text/plain", "<xades:MimeType><![CDATA[text/plain]]>"),
    )
    yield (
        "signature-second",
        "a second ds:Signature in the document",
        scene.request_with_body.but(rewrite_document=_doubled),
    )
    yield (
        "signature-extra-property",
        "one more unsigned property",
        rewritten(
            "<xades:CertificateValues>", "<xades:CounterSignature></xades:CounterSignature><xades:CertificateValues>"
        ),
    )
    yield (
        "signature-second-object",
        "one more ds:Object",
        rewritten("</ds:Object>", "</ds:Object><ds:Object></ds:Object>"),
    )
    yield (
        "signature-key-name",
        "KeyInfo says more than the certificate",
        rewritten("<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName>root</ds:KeyName>"),
    )
    yield (
        "signature-no-timestamp",
        "no timestamp",
        scene.request_with_body.but(rewrite_document=lambda text: _without(text, "xades:SignatureTimeStamp")),
    )
    yield (
        "signature-no-status",
        "no status answer",
        scene.request_with_body.but(rewrite_document=lambda text: _without(text, "xades:RevocationValues")),
    )
    yield (
        "base64-line-break",
        "a line break in base64",
        rewritten("<xades:EncapsulatedTimeStamp>", "<xades:EncapsulatedTimeStamp>\n"),
    )
    yield (
        "base64-loose-bits",
        "base64 whose unused bits are not zero",
        scene.request_with_body.but(rewrite_document=_loose_base64),
    )


def _resigned(scene: Scene) -> Iterator[tuple[str, str, Stamped]]:
    """Rewritten before signing: the signature value holds, and only the form is refused."""

    def info(old: str, new: str, count: int = 1) -> Stamped:
        def rewrite(text: str) -> str:
            assert old in text
            return text.replace(old, new, count)

        return scene.request_with_body.but(rewrite_info=rewrite)

    yield (
        "reference-outside",
        "a reference to an address outside the container",
        info('URI="body"', 'URI="http://127.0.0.1/body"'),
    )
    yield "reference-to-a-file", "a reference that climbs out of the container", info('URI="body"', 'URI="../body"')
    yield (
        "reference-missing",
        "no reference to the body, which is there",
        scene.request_with_body.but(
            rewrite_info=lambda text: (
                text[: text.index('<ds:Reference Id="R1"')] + text[text.index("<ds:Reference Type=") :]
            )
        ),
    )
    yield (
        "reference-transformed",
        "a transform at the body's reference",
        info(
            'URI="body">',
            'URI="body"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"></ds:Transform></ds:Transforms>',
        ),
    )
    digest = base64.b64encode(hashlib.sha256(scene.request_with_body.entries[1].data).digest()).decode()
    weak = base64.b64encode(hashlib.sha1(scene.request_with_body.entries[1].data).digest()).decode()
    yield (
        "digest-sha1",
        "the body is digested with SHA-1",
        scene.request_with_body.but(
            rewrite_info=lambda text: text.replace(digest, weak).replace(
                f'URI="body"><ds:DigestMethod Algorithm="{_SHA256}"',
                'URI="body"><ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"',
            )
        ),
    )
    yield "signature-method", "another signature method is named", info("#ecdsa-sha256", "#ecdsa-sha384")
    yield "canonicalisation", "canonicalisation with comments", info("xml-exc-c14n#", "xml-exc-c14n#WithComments")

    def properties(old: str, new: str) -> Stamped:
        def rewrite(text: str) -> str:
            assert old in text
            return text.replace(old, new)

        return scene.request_with_body.but(rewrite_properties=rewrite)

    yield (
        "signed-policy",
        "a signature policy is named",
        properties(
            "</xades:SignedSignatureProperties>",
            "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyImplied></xades:SignaturePolicyImplied>"
            "</xades:SignaturePolicyIdentifier></xades:SignedSignatureProperties>",
        ),
    )
    yield "signing-time-fraction", "a signing time with fractions of a second", properties("00Z<", "00.5Z<")
    yield "signing-time-offset", "a signing time with an offset from UTC", properties("00Z<", "00+00:00<")
    yield "media-type-parameter", "a media type with a parameter", properties("text/plain", "text/plain;a=b")
    yield "media-type-upper-case", "a media type in upper case", properties("text/plain", "TEXT/PLAIN")
    certificate = base64.b64encode(hashlib.sha256(scene.pki.signing.der).digest()).decode()
    other = base64.b64encode(hashlib.sha256(scene.pki.answering.der).digest()).decode()
    yield (
        "signing-certificate-swapped",
        "the signed properties name another certificate",
        properties(certificate, other),
    )


def _keys(scene: Scene) -> Iterator[Case]:
    def signed_with(algorithm: str) -> bytes:
        key = new_key(algorithm)
        return scene.request.but(signer=scene.pki.signing_for(scene.pki.member, scene.pki.server, key=key)).container()

    for name, algorithm in (("p384", "ec-p384"), ("rsa-1024", "rsa-1024")):
        yield Case(
            f"key-{name}",
            f"signed with {algorithm}",
            signed_with(algorithm),
            "unsupported-algorithm",
            "signature-document",
        )

    def swapped(stamped: Stamped) -> bytes:
        other = stamped.but(rewrite_info=lambda text: text.replace('Id="R0"', 'Id="R9"', 1))
        _, _, value = other.signed()
        return stamped.but(rewrite_fields=lambda fields: replace(fields, value=value)).container()

    yield Case(
        "signature-value-other",
        "the signature value is over something else",
        swapped(scene.request_with_body),
        "signature-invalid",
        "signature-value",
    )


def _doubled(document: str) -> str:
    begin, end = document.index("<ds:Signature "), document.index("</asic:XAdESSignatures>")
    return document[:end] + document[begin:end] + document[end:]


def _without(document: str, element: str) -> str:
    end = f"</{element}>"
    return document[: document.index(f"<{element}")] + document[document.index(end) + len(end) :]


def _loose_base64(document: str) -> str:
    """Turn a bit over that base64 has to spare: a lenient decoder gives the same bytes."""
    at = document.index("=</ds:SignatureValue>") - 1
    while document[at] == "=":
        at -= 1
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return document[:at] + letters[letters.index(document[at]) ^ 1] + document[at + 1 :]
