"""Certificate status answers (RFC 6960) of any content and any time, sound or not, for tests.

They are written with asn1crypto from the standard's own structure, so that they do not share a line with the code
that reads them, and because ``producedAt`` must be told: the usual builders put the machine's clock there.
"""

import datetime as dt

from asn1crypto import algos, core
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pki import Credential


def status_answer(
    about: x509.Certificate,
    issuer: x509.Certificate,
    responder: Credential,
    produced_at: dt.datetime,
    *,
    status: str = "good",
    this_update: dt.datetime | None = None,
    next_update: dt.datetime | None = None,
    revoked_at: dt.datetime | None = None,
    enclosed: tuple[x509.Certificate, ...] | None = None,
    nonce: bytes | None = None,
) -> bytes:
    """An OCSPResponse, DER: `responder` says that `about`, issued by `issuer`, is `good`, `revoked` or `unknown`.

    `this_update` is `produced_at` unless told otherwise; `enclosed` is the responder's certificate alone,
    and there is no nonce.
    """
    issuer_name = _asn1(issuer)
    single = {
        "cert_id": {
            "hash_algorithm": {"algorithm": "sha1"},
            "issuer_name_hash": issuer_name.subject.sha1,
            "issuer_key_hash": issuer_name.public_key.sha1,
            "serial_number": about.serial_number,
        },
        "cert_status": _cert_status(status, revoked_at or produced_at),
        "this_update": this_update or produced_at,
    }
    if next_update is not None:
        single["next_update"] = next_update
    key_hash = _asn1(responder.certificate).public_key.sha1
    data = {
        "responder_id": asn1_ocsp.ResponderId(name="by_key", value=core.OctetString(key_hash)),
        "produced_at": produced_at,
        "responses": [single],
    }
    if nonce is not None:
        data["response_extensions"] = [{"extn_id": "nonce", "extn_value": core.OctetString(nonce)}]
    statement = asn1_ocsp.ResponseData(data)
    statement_der: bytes = statement.dump()
    basic = {
        "tbs_response_data": statement,
        "signature_algorithm": _algorithm(responder),
        "signature": _signed(statement_der, responder),
    }
    certificates = (responder.certificate,) if enclosed is None else enclosed
    if certificates:
        basic["certs"] = [_asn1(each) for each in certificates]
    response = asn1_ocsp.OCSPResponse(
        {
            "response_status": "successful",
            "response_bytes": {
                "response_type": "basic_ocsp_response",
                "response": core.ParsableOctetString(asn1_ocsp.BasicOCSPResponse(basic).dump()),
            },
        }
    )
    der: bytes = response.dump()
    return der


def no_answer(what: str = "try_later") -> bytes:
    """An OCSPResponse that gives no answer, such as ``try_later`` or ``unauthorized``."""
    der: bytes = asn1_ocsp.OCSPResponse({"response_status": what}).dump()
    return der


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _cert_status(status: str, revoked_at: dt.datetime) -> asn1_ocsp.CertStatus:
    if status == "revoked":
        return asn1_ocsp.CertStatus(
            name="revoked",
            value=asn1_ocsp.RevokedInfo({"revocation_time": revoked_at, "revocation_reason": "key_compromise"}),
        )
    return asn1_ocsp.CertStatus(name=status, value=core.Null())


def _algorithm(responder: Credential) -> algos.SignedDigestAlgorithm:
    if isinstance(responder.key, ec.EllipticCurvePrivateKey):
        return algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})
    return algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa", "parameters": core.Null()})


def _signed(data: bytes, responder: Credential) -> bytes:
    if isinstance(responder.key, ec.EllipticCurvePrivateKey):
        return responder.key.sign(data, ec.ECDSA(hashes.SHA256()))
    return responder.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
