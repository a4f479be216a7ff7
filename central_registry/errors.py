"""The registry's errors: what happened, why, and what to do next.

All of them are :class:`service_runtime.errors.ServiceError`: ``reason`` is stable and for programs, ``message`` and
``advice`` are for people. None of them holds a secret, SQL or a stack trace, so each may be shown as it is.
"""

from service_runtime.errors import ServiceError


class RegistryError(ServiceError):
    """Something that the registry cannot or must not do; the root of this package's errors."""


class RefusalError(RegistryError):
    """The registry is in order, but what was asked of it is not allowed or makes no sense."""


class StateError(RegistryError):
    """The registry's folder is not made yet, made already, incomplete, or of another instance than the settings say."""


class RegistrationFileError(RefusalError):
    """The file of members and servers cannot be used; the message names the file, the line and the key."""


class UnknownPartyError(RefusalError):
    """There is no member, subsystem or server of that identifier."""


class CertificationError(RefusalError):
    """A certificate must not be issued: the request is malformed, weak, unproven, or not what the registry knows."""


class RevocationError(RefusalError):
    """A certificate cannot be revoked: it is not known here, or the reason is none."""


class CatalogueUnavailableError(RefusalError):
    """There is no catalogue of that version, or none yet, or it cannot be stamped now."""
