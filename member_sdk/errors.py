"""What can go wrong with a call: the gateway's own faults, each as a class of its own, and what never got that far.

A service's HTTP errors (404, 409, 503 …) are not here: they are answers, and an answer is handed through.
"""


class MemberSdkError(Exception):
    """Root of all errors here.

    ``reason`` is a stable code to branch on, ``message`` says what happened and why, ``advice`` what to do next.
    """

    def __init__(self, reason: str, message: str, advice: str) -> None:
        super().__init__(f"{message} ({reason}). {advice}" if advice else f"{message} ({reason})")
        self.reason = reason
        self.message = message
        self.advice = advice


class InvalidCall(MemberSdkError):
    """The call as written cannot be sent; nothing left this process."""


class GatewayUnreachable(MemberSdkError):
    """No connection to the own gateway, or it broke; whether the request was processed is not known if it broke."""


class GatewayTimeout(MemberSdkError):
    """The own gateway did not answer within the client's ``timeout``; the call may still be processed."""


class EvidenceUnavailable(MemberSdkError):
    """The gateway did not hand over the evidence of a call."""


class GatewayFault(MemberSdkError):
    """A gateway, the own one or the provider's, refused or failed; the service's answer does not exist.

    ``type`` is X-Road's error code (the header ``X-Road-Error``), ``reason`` the finer, stable one of
    docs/reference/faults.md (the type again, when the gateway gives none), ``place`` where it happened, ``detail``
    the id of the log entry to quote to an administrator, ``retryable`` whether the same call may succeed later.
    ``status_code`` is 400 or 500, as the protocol has it; ``message_id`` is the call's ``X-Road-Id``.
    """

    default_advice = (
        "Look the reason up in docs/reference/faults.md and quote the detail to your gateway's administrator."
    )

    def __init__(
        self,
        fault_type: str,
        message: str,
        *,
        reason: str | None = None,
        place: str | None = None,
        advice: str | None = None,
        retryable: bool = False,
        detail: str | None = None,
        status_code: int = 500,
        message_id: str | None = None,
    ) -> None:
        super().__init__(reason or fault_type, message, advice or self.default_advice)
        self.type = fault_type
        self.place = place
        self.retryable = retryable
        self.detail = detail
        self.status_code = status_code
        self.message_id = message_id


class AccessDenied(GatewayFault):
    """The provider has not given this client the right to the service."""

    default_advice = "Ask the provider to grant your subsystem access to the service."


class NotAuthenticated(GatewayFault):
    """The own gateway does not accept this information system, or not for this client."""

    default_advice = "Give the certificate that is registered at your gateway for this client."


class UnknownMember(GatewayFault):
    """The client, or the provider, is not a member in the catalogue, or is suspended there."""

    default_advice = "Compare both identifiers with the list of clients (GET /listClients at your gateway)."


class UnknownService(GatewayFault):
    """The provider has no such service, or has it switched off."""

    default_advice = "Ask the provider's listMethods for its services."


class InvalidRequest(GatewayFault):
    """The request is not one that the protocol allows; sending it again unchanged cannot help."""

    default_advice = "Correct the request; see docs/reference/faults.md for the reason."


class NetworkFault(GatewayFault):
    """A gateway, or the service behind it, cannot be reached from the gateway that tried."""

    default_advice = "Try again later; if it lasts, tell your gateway's administrator the place and the detail."


class TimeoutFault(NetworkFault):
    """The provider's gateway or the service did not answer in time; the call may have been processed."""


class ServiceFailed(GatewayFault):
    """The service was reached, but what it sent is no HTTP answer that can be stamped."""

    default_advice = "Tell the provider the time of the call, its message id and the detail."


class EvidenceFault(GatewayFault):
    """The e-stamp could not be made, logged or verified, so the message was not let through."""

    default_advice = "Tell your gateway's administrator the reason and the detail; nothing was handed over."
