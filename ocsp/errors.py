"""The errors of the status responder: what stops it from starting, and what is wrong with a request."""

from service_runtime.errors import ServiceError


class OcspError(ServiceError):
    """The root of this package's errors; `reason`, `message` and `advice` as in `ServiceError`."""


class ResponderError(OcspError):
    """A responder's certificate and key cannot speak for the issuer they are configured for."""


class FeedCopyError(OcspError):
    """The copy of the status feed on disk cannot be used, or a feed from the registry is refused."""


class MalformedRequestError(OcspError):
    """A request is not one that RFC 6960 and RFC 5019 allow; answered with malformedRequest."""


class UnservedIssuerError(OcspError):
    """A request is about an issuer that this responder does not speak for; answered with unauthorized."""


class StaleCopyError(OcspError):
    """What is held about an issuer is too old, or nothing is held; answered with tryLater."""
