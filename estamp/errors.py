"""Every error that the e-stamp code raises, in one tree.

Each error carries a stable ``reason`` (kebab-case; docs/reference/faults.md lists them with advice), so that a verdict,
a fault sent to a peer and a line in a manual all name the same thing.
"""


class EstampError(Exception):
    """Something about an e-stamp, or about what it is made of, is not acceptable.

    ``reason`` is the stable code a program may branch on; ``message`` says in a sentence what was found.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class IdentifierError(EstampError):
    """An identifier of a member, subsystem, service or security server cannot be read."""


class HeadError(EstampError):
    """The head of a message (request line or status line, and headers) is not in the form the wire demands."""


class ContainerError(EstampError):
    """The ZIP around an e-stamp is not exactly the ASiC-E container that the wire demands."""


class SignatureError(EstampError):
    """The XAdES signature is malformed, or does not hold over what it claims to sign."""


class TimestampError(EstampError):
    """A time-stamp request, answer or token (RFC 3161) is malformed, refused, or about something else."""


class StatusError(EstampError):
    """A certificate status answer (RFC 6960) or the status feed is malformed, refused, or about something else."""


class CertificateError(EstampError):
    """A certificate is of the wrong kind, names nobody, or does not chain to the trust anchor."""


class AnchorError(EstampError):
    """A trust anchor file cannot be read."""


class CatalogueError(EstampError):
    """A catalogue cannot be read, or is older, expired or signed by somebody else."""
