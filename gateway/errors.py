"""Every error that the gateway raises on its own account, in one tree.

What a caller or a peer is told about a message is a fault (``gateway.faults``); what is here concerns the gateway's
own store, configuration and keys, and is read by the administrator.
"""


class GatewayError(Exception):
    """The gateway cannot do what it was asked to.

    ``reason`` is a stable kebab-case code that a program may branch on; ``message`` says what happened and why;
    ``advice`` says what to do next. Neither text ever holds a secret or a part of a message's body.
    """

    def __init__(self, reason: str, message: str, advice: str) -> None:
        super().__init__(f"{message} {advice}".strip())
        self.reason = reason
        self.message = message
        self.advice = advice


class QueryLogError(GatewayError):
    """An entry is not in the query log, so the message that it stands for must go no further.

    Reasons: ``log-unavailable`` (the database failed), ``log-overloaded`` (too much is waiting), ``log-closed``,
    ``log-in-use`` (another gateway has this file), ``log-not-durable`` (the database does not sync its commits),
    ``log-entry-unfit`` (a field that no row can hold), ``answer-exists``, ``answer-without-request``.
    """


class ConfigurationError(GatewayError):
    """The services, access rights or information systems that somebody wants to set are not acceptable.

    Reasons: ``configuration-malformed``, ``configuration-changed`` (somebody else applied another file meanwhile).
    """


class EnrolmentError(GatewayError):
    """A key, certificate request or certificate of this gateway cannot be made or put in place.

    Reasons: ``file-exists``, ``file-unreadable``, ``anchor-differs``, ``certificate-unusable``,
    ``certificate-without-key``.
    """
