"""A program that asks libdigidocpp about containers; the tests run it as a module in a process of its own.

It stands alone because the library keeps global state, is set up once in the life of a process, and has threads that
outlive it. On stdin comes JSON: ``ca``, ``tsa`` and ``ocsp`` (lists of certificates, DER in base64) and ``containers``
(paths); on stdout goes a JSON list with one ``{"valid": …, "said": …}`` for each container. The certificates are what
it trusts, by way of a trust list (ETSI TS 119 612) that is made and signed on the spot; no network is used.
"""

import datetime as dt
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pydigidoc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from pydigidoc import digidoc
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

NAMESPACE = "http://uri.etsi.org/02231/v2#"
BASE = "http://uri.etsi.org/TrstSvc/"
KINDS = {"ca": "CA/QC", "tsa": "TSA/QTST", "ocsp": "Certstatus/OCSP/QC"}
# Nobody listens there: the library falls back at once on the list that lies in its folder under this address's name.
ADDRESS = "http://127.0.0.1:1/list.xml"
LIST_FILE = "list.xml"


def node(tag: str, *contents: "etree._Element | str", **attributes: str) -> etree._Element:
    """An element of the trust list with children, or with text."""
    element = etree.Element(f"{{{NAMESPACE}}}{tag}", attributes)
    for content in contents:
        if isinstance(content, str):
            element.text = content
        else:
            element.append(content)
    return element


def english(tag: str, text: str) -> etree._Element:
    """An element of one text in English."""
    element = node(tag, text)
    element.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    return element


def listed(kind: str, certificate: str) -> etree._Element:
    """A service of the trust list, of one of KINDS; it is granted, and for electronic seals."""
    seals = node("AdditionalServiceInformation", english("URI", f"{BASE}TrustedList/SvcInfoExt/ForeSeals"))
    identity = node("DigitalId", node("X509Certificate", certificate))
    information = node(
        "ServiceInformation",
        node("ServiceTypeIdentifier", f"{BASE}Svctype/{KINDS[kind]}"),
        node("ServiceName", english("Name", f"A service for tests: {kind}")),
        node("ServiceDigitalIdentity", identity),
        node("ServiceStatus", f"{BASE}TrustedList/Svcstatus/granted"),
        node("StatusStartingTime", "2000-01-01T00:00:00Z"),
        node("ServiceInformationExtensions", node("Extension", seals, Critical="true")),
    )
    return node("TSPService", information)


def trust_list(asked: dict[str, list[str]]) -> etree._Element:
    """The unsigned trust list."""
    services = [listed(kind, certificate) for kind in KINDS for certificate in asked[kind]]
    scheme = node(
        "SchemeInformation",
        node("TSLVersionIdentifier", "6"),
        node("TSLSequenceNumber", "1"),
        node("TSLType", f"{BASE}TrustedList/TSLType/EUgeneric"),
        node("SchemeOperatorName", english("Name", "Tests")),
        node("SchemeTerritory", "EE"),
        node("ListIssueDateTime", "2020-01-01T00:00:00Z"),
        node("NextUpdate", node("dateTime", "2999-01-01T00:00:00Z")),
    )
    providers = node("TrustServiceProviderList", node("TrustServiceProvider", node("TSPServices", *services)))
    tag = "http://uri.etsi.org/19612/TSLTag"
    return node("TrustServiceStatusList", scheme, providers, Id="list", TSLTag=tag)


def signed(document: etree._Element) -> tuple[bytes, bytes]:
    """The list with its enveloped signature, and the certificate (DER) of the key that was made for it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Whoever made this list")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    result = signer.sign(document, key=pem, cert=certificate.public_bytes(Encoding.PEM).decode())
    return etree.tostring(result), certificate.public_bytes(Encoding.DER)


def set_up(folder: Path, asked: dict[str, list[str]]) -> None:
    """Give the library its schemas and the trust list."""
    for schema in Path(pydigidoc.__file__).parent.joinpath("schema").glob("*.xsd"):
        shutil.copy(schema, folder)
    document, certificate = signed(trust_list(asked))
    (folder / LIST_FILE).write_bytes(document)
    settings = digidoc.DigiDocConf(str(folder))
    settings.set_tslurl(ADDRESS)
    settings.set_tslcert(certificate)
    digidoc.Conf.init(settings.transfer())
    pydigidoc.initialize("tests")


def judge(path: str) -> dict[str, object]:
    """What the library says of one container: valid when every signature in it is, and there is one."""
    try:
        container = pydigidoc.Container.open(path)  # the signatures point into it
        signatures = list(container.signatures())
        for signature in signatures:
            signature.validate("POLv1")
        said = [f"{signature.profile()} {signature.trusted_signing_time()}" for signature in signatures]
    except Exception as error:
        return {"valid": False, "said": str(error)}
    return {"valid": bool(said), "said": "; ".join(said)}


def main() -> None:
    """Answer and leave; the library's threads are not waited for."""
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        set_up(Path(folder), asked)
        answers = [judge(path) for path in asked["containers"]]
    json.dump(answers, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
