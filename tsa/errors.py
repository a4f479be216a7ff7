"""The errors of the time-stamping authority, beside those of the shared runtime that they belong to."""

from service_runtime.errors import ServiceError


class SigningCertificateError(ServiceError):
    """The authority's certificate or key cannot be used, so the authority does not start."""


class TimeNotAvailableError(ServiceError):
    """The authority cannot vouch for the time now, so it grants nothing."""
