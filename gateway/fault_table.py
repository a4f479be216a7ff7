"""Every reason for which a message is refused: its X-Road code, what to do about it, whether trying again may help.

This table is the one place where our stable reasons meet X-Road's vocabulary. docs/reference/faults.md shows it; a
test compares the two.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """How one reason is told.

    ``code`` is X-Road's fault code without its prefix (``Client.`` when ``client`` is set, else that of the side that
    refuses: ``Server.ClientProxy.`` or ``Server.ServerProxy.``). ``retryable`` says that the same call may succeed
    later without anybody changing anything.
    """

    reason: str
    code: str
    advice: str
    retryable: bool = False
    client: bool = False


_REQUEST: Final = (
    Row("method-unsupported", "InvalidHttpMethod", "Use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE.", client=True),
    Row("version-unsupported", "InvalidProtocolVersion", "Begin the path with /r1/.", client=True),
    Row("path-malformed", "BadRequest", "Use /r1/instance/class/member/subsystem/service[/path]; evidence is at /asic and /verificationconf.", client=True),
    Row("path-escapes", "BadRequest", "Remove . and .. pieces, backslashes and control characters from the path.", client=True),
    Row("identifier-malformed", "InvalidClientIdentifier", "Write identifiers as instance/class/member[/subsystem].", client=True),
    Row("client-missing", "MissingHeader", "Send X-Road-Client: instance/class/member/subsystem.", client=True),
    Row("header-repeated", "DuplicateHeaderField", "Send this X-Road header once.", client=True),
    Row("header-malformed", "InvalidRequest", "Correct the header that the message names.", client=True),
    Row("body-too-large", "InvalidBody", "Send a smaller body, or ask the gateway's administrator for a higher limit.", client=True),
    Row("body-incomplete", "InvalidBody", "Send the whole body that the head announced.", retryable=True, client=True),
    Row("gateway-busy", "NetworkError", "Too many calls are under way; try again in a moment.", retryable=True),
    Row("certificate-not-registered", "SslAuthenticationFailed", "Have the information system's certificate registered (xacbe gateway apply)."),
    Row("client-not-allowed", "SslAuthenticationFailed", "Register this certificate for that client, or name another client."),
)  # fmt: skip

_DIRECTORY: Final = (
    Row("catalogue-missing", "OutdatedGlobalConf", "The gateway has no catalogue yet: check that it reaches the registry.", retryable=True),
    Row("catalogue-expired", "OutdatedGlobalConf", "The gateway's catalogue expired: check that it reaches the registry.", retryable=True),
    Row("catalogue-malformed", "OutdatedGlobalConf", "Tell the central administrator that the catalogue cannot be used."),
    Row("client-unknown", "UnknownMember", "Check X-Road-Client, or have the subsystem registered in the registry."),
    Row("client-not-hosted", "UnknownMember", "Have the subsystem registered on this gateway in the registry."),
    Row("provider-unknown", "UnknownMember", "Check the provider's identifiers in the path against the catalogue."),
    Row("provider-without-server", "UnknownMember", "The provider has no gateway registered for this subsystem; tell it."),
    Row("member-unknown", "UnknownMember", "The member is not in the catalogue; ask the central administrator."),
    Row("member-suspended", "UnknownMember", "The member is suspended; ask the central administrator."),
    Row("server-unknown", "InvalidSecurityServer", "Name a gateway that hosts the provider, or leave X-Road-Security-Server out."),
    Row("server-suspended", "InvalidSecurityServer", "The gateway is suspended; ask the central administrator."),
)  # fmt: skip

_STAMPING: Final = (
    Row("signing-key-missing", "CannotCreateSignature", "Install a signing certificate for this member (xacbe gateway install)."),
    Row("timestamping-failed", "LoggingFailed.TimestamperFailed", "Check that the TSA runs and can be reached; nothing was sent.", retryable=True),
    Row("status-unavailable", "CannotCreateSignature", "Check that the status responder runs and can be reached; nothing was sent.", retryable=True),
    Row("log-unavailable", "LoggingFailed", "Check the gateway's disk and database; traffic resumes by itself.", retryable=True),
    Row("answer-not-logged", "LoggingFailed", "The service was called but its answer could not be logged; ask the provider before repeating."),
    Row("internal-error", "InternalError", "Give the administrator the detail, which stands in the gateway's log. The service may have been called: ask the provider before repeating."),
)  # fmt: skip

_SENDING: Final = (
    Row("provider-unreachable", "NetworkError", "The provider's gateway did not take the connection; try again later.", retryable=True),
    Row("provider-tls-mismatch", "SslAuthenticationFailed", "The provider's gateway is not the one that the catalogue names; tell the central administrator."),
    Row("provider-timeout", "NetworkError", "No answer in time. The service may have been called: ask the provider before repeating."),
    Row("provider-broke-off", "NetworkError", "The connection was lost. The service may have been called: ask the provider before repeating."),
    Row("provider-answer-malformed", "InvalidResponse", "The provider's gateway does not speak this wire; tell its administrator."),
    Row("answer-inconsistent", "InconsistentResponse", "The answer belongs to another request; tell the provider's administrator."),
    Row("answer-not-judged", "OutdatedGlobalConf", "The service was called, but the catalogue expired before its answer came; ask the provider before repeating."),
    Row("answer-other-signer", "IncorrectCertificate", "The answer was signed by somebody else than the provider; tell the central administrator."),
)  # fmt: skip

_RECEIVING: Final = (
    Row("peer-unknown", "SslAuthenticationFailed", "Have the gateway's authentication certificate registered in the registry."),
    Row("wire-unsupported", "ClientProxyVersionNotSupported", "Send POST /messages with Xacbe-Wire: 1."),
    Row("content-type-unsupported", "InvalidContentType", "Send application/vnd.etsi.asic-e+zip."),
    Row("container-too-large", "InvalidMessage", "Send a smaller message; the provider's limit is in the message."),
    Row("peer-quota", "NetworkError", "This gateway already has its share of calls under way; try again in a moment.", retryable=True),
    Row("direction-wrong", "InvalidMessage", "Send a request; this is an answer."),
    Row("signer-not-peer", "IncorrectCertificate", "The message must be sent by the gateway on which it was signed."),
    Row("provider-not-hosted", "UnknownMember", "Send to a gateway that the catalogue names for this subsystem."),
    Row("server-not-this", "InvalidSecurityServer", "X-Road-Security-Server names another gateway than this one."),
    Row("replayed", "InvalidRequest", "A request id is used once. Make a new call."),
    Row("outcome-unknown", "NetworkError", "The first attempt is still under way or was cut off; ask the provider what became of it."),
    Row("answer-not-stamped", "CannotCreateSignature", "The service was called but its answer could not be stamped; ask the provider before repeating."),
)  # fmt: skip

_SERVICE: Final = (
    Row("service-unknown", "UnknownService", "Check the service code; the provider offers none of that name."),
    Row("access-denied", "AccessDenied", "Ask the provider to grant this subsystem the right to the service."),
    Row("service-unreachable", "NetworkError", "The provider's service did not take the connection; tell the provider.", retryable=True),
    Row("service-timeout", "NetworkError", "The provider's service did not answer in time; it may have acted. Ask the provider before repeating."),
    Row("service-broke-off", "ServiceFailed.HttpError", "The provider's service closed the connection mid-answer; it may have acted. Ask the provider."),
    Row("service-answer-malformed", "ServiceFailed.InvalidResponse", "The provider's service does not answer in HTTP as it should; tell the provider."),
    Row("service-answer-too-large", "ServiceFailed.InvalidResponse", "Ask for less, or ask the provider for a higher limit."),
)  # fmt: skip

_SENDER = "The sender's gateway made a message that the wire does not allow; tell its administrator."
_CLOCKS = "Check that the clocks of both gateways and of the TSA agree."
_ADMINISTRATION = "Tell the central administrator; do not use what the message says."
_E_STAMP: Final = (
    Row("container-malformed", "InvalidMessage", _SENDER),
    Row("entries-unsigned", "MalformedSignature", _ADMINISTRATION),
    Row("content-changed", "SignatureVerification", _ADMINISTRATION),
    Row("manifest-mismatch", "MalformedSignature", _SENDER),
    Row("head-malformed", "InvalidRest", _SENDER),
    Row("head-header-repeated", "DuplicateHeaderField", _SENDER),
    Row("head-incomplete", "MissingHeaderField", _SENDER),
    Row("media-type-mismatch", "InconsistentHeaders", _SENDER),
    Row("signature-malformed", "MalformedSignature", _SENDER),
    Row("signature-invalid", "InvalidSignatureValue", _ADMINISTRATION),
    Row("unsupported-algorithm", "UnsupportedAlgorithm", "Use ECDSA P-256 or RSA of 2048 bits or more, with SHA-256."),
    Row("signer-not-named", "IncorrectCertificate", _ADMINISTRATION),
    Row("foreign-instance", "IncorrectCertificate", "Members of another instance cannot be called from here."),
    Row("certificate-malformed", "IncorrectCertificate", _SENDER),
    Row("certificate-critical-extension", "IncorrectCertificate", _ADMINISTRATION),
    Row("certificate-wrong-kind", "IncorrectCertificate", "Sign messages with the signing certificate, and use the authentication certificate for TLS."),
    Row("certificate-chain", "CertValidation", _ADMINISTRATION),
    Row("certificate-expired", "CertValidityTime", "Renew the certificate in the registry."),
    Row("certificate-not-yet-valid", "CertValidityTime", _CLOCKS),
    Row("certificate-revoked", "CertValidation", "The certificate is revoked; the member needs a new one from the registry."),
    Row("certificate-unknown", "CertValidation", "The registry did not issue this certificate, or its responder's feed is behind."),
    Row("timestamp-malformed", "TimestampValidation", _SENDER),
    Row("timestamp-invalid", "TimestampValidation", _ADMINISTRATION),
    Row("timestamp-other-signature", "TimestampValidation", _ADMINISTRATION),
    Row("timestamp-unknown-authority", "TimestampValidation", "Only TSAs of the catalogue are believed."),
    Row("timestamp-in-future", "TimestampValidation", _CLOCKS),
    Row("signing-time-off-timestamp", "TimestampValidation", _CLOCKS),
    Row("signing-time-off-clock", "TimestampValidation", _CLOCKS),
    Row("status-malformed", "CertValidation", _SENDER),
    Row("status-invalid", "CertValidation", _ADMINISTRATION),
    Row("status-other-certificate", "CertValidation", _ADMINISTRATION),
    Row("status-unauthorised-responder", "CertValidation", "Only status responders of the catalogue are believed."),
    Row("status-in-future", "CertValidation", _CLOCKS),
    Row("status-too-far", "CertValidation", "Status and timestamp lie more than eight hours apart: the sender's status responder must be reached again."),
)  # fmt: skip

SECTIONS: Final = {
    "The request of the information system": _REQUEST,
    "Catalogue": _DIRECTORY,
    "Stamping and logging": _STAMPING,
    "Sending to the provider's gateway": _SENDING,
    "Receiving at the provider's gateway": _RECEIVING,
    "The service": _SERVICE,
    "The e-stamp": _E_STAMP,
}
"""The rows by where they arise, as the documentation shows them."""

ROWS: Final = {row.reason: row for rows in SECTIONS.values() for row in rows}
"""The rows by reason."""
