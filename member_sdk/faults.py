"""Reads a gateway's fault out of an HTTP response and chooses its exception; pure, shared by both clients."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

from member_sdk import errors

ERROR_HEADER = "X-Road-Error"
"""Stands in every fault and in nothing else; its value is the fault's type."""

_BY_CODE: dict[str, type[errors.GatewayFault]] = {
    "accessdenied": errors.AccessDenied,
    "sslauthenticationfailed": errors.NotAuthenticated,
    "unknownmember": errors.UnknownMember,
    "invalidclientidentifier": errors.InvalidRequest,
    "unknownservice": errors.UnknownService,
    "servicedisabled": errors.UnknownService,
    "servicemissingurl": errors.UnknownService,
    "servicemalformedurl": errors.UnknownService,
    "servicefailed": errors.ServiceFailed,
    "networkerror": errors.NetworkFault,
    "ioerror": errors.NetworkFault,
    "badrequest": errors.InvalidRequest,
    "invalidrequest": errors.InvalidRequest,
    "invalidhttpmethod": errors.InvalidRequest,
    "invalidcontenttype": errors.InvalidRequest,
    "invalidsecurityserver": errors.InvalidRequest,
    "invalidprotocolversion": errors.InvalidRequest,
    "invalidrest": errors.InvalidRequest,
    "invalidbody": errors.InvalidRequest,
    "missingheader": errors.InvalidRequest,
    "missingheaderfield": errors.InvalidRequest,
    "missingbody": errors.InvalidRequest,
    "missingrest": errors.InvalidRequest,
    "duplicateheaderfield": errors.InvalidRequest,
    "cannotcreatesignature": errors.EvidenceFault,
    "cannotsign": errors.EvidenceFault,
    "certvalidation": errors.EvidenceFault,
    "incorrectcertificate": errors.EvidenceFault,
    "certvaliditytime": errors.EvidenceFault,
    "invalidsignaturevalue": errors.EvidenceFault,
    "malformedsignature": errors.EvidenceFault,
    "missingsignature": errors.EvidenceFault,
    "signatureverification": errors.EvidenceFault,
    "timestampvalidation": errors.EvidenceFault,
    "timestampingfailed": errors.EvidenceFault,
    "loggingfailed": errors.EvidenceFault,
    "inconsistentresponse": errors.EvidenceFault,
    "inconsistentheaders": errors.EvidenceFault,
    "unsupportedalgorithm": errors.EvidenceFault,
    "invalidmessage": errors.EvidenceFault,
    "invalidresponse": errors.EvidenceFault,
}
# X-Road has one code for a TLS peer that is not believed; between gateways the caller has no part in that.
_BY_REASON: dict[str, type[errors.GatewayFault]] = {
    "provider-tls-mismatch": errors.NetworkFault,
    "peer-unknown": errors.NetworkFault,
}


def _class_of(fault_type: str, reason: str | None) -> type[errors.GatewayFault]:
    # X-Road 7.8 writes the same codes in lower snake case; a group may stand between place and code.
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    codes = [code.replace("_", "").lower() for code in fault_type.split(".")]
    found = next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)
    if found is None and codes[0] == "client":
        found = errors.InvalidRequest
    late = reason is not None and "timeout" in reason.replace("timed-out", "timeout")
    if late and found in (None, errors.NetworkFault, errors.ServiceFailed):
        return errors.TimeoutFault
    return found or errors.GatewayFault


def _members(body: bytes) -> dict[str, Any]:
    """The body's members, whether it is the JSON or the XML form; none when it is neither."""
    try:
        document = json.loads(body)
        return document if isinstance(document, dict) else {}
    except ValueError:
        pass
    if b"<!" in body:  # a fault declares no document type, and entities are not for us to expand
        return {}
    try:
        return {element.tag.rpartition("}")[2]: element.text for element in ElementTree.fromstring(body)}  # noqa: S314 - no DTD
    except ElementTree.ParseError:
        return {}


def read_fault(status_code: int, headers: Mapping[str, str], body: bytes) -> errors.GatewayFault | None:
    """The fault that a response is, or None when it is an answer.

    ``headers`` must find names in any case, as httpx's do. A fault whose body cannot be read still becomes one, with
    the type that its header names.
    """
    fault_type = headers.get(ERROR_HEADER)
    if fault_type is None:
        return None
    members = _members(body)

    def text(name: str) -> str | None:
        value = members.get(name)
        return value if isinstance(value, str) and value else None

    reason = text("reason")
    return _class_of(fault_type, reason)(
        fault_type,
        text("message") or f"the gateway answered with the fault {fault_type}",
        reason=reason,
        place=text("place"),
        advice=text("advice"),
        retryable=members.get("retryable") is True,
        detail=text("detail"),
        status_code=status_code,
        message_id=headers.get("X-Road-Id"),
    )
