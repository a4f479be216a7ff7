"""The errors of the shared runtime: what happened, why, and what to do next.

Every error carries a stable kebab-case ``reason`` for programs, a ``message`` for people and an ``advice`` that names
the next step. ``str(error)`` is message and advice, ready for a terminal. None of them ever holds a secret.
"""


class ServiceError(Exception):
    """Something that stops a service or a command; the root of this package's errors.

    ``reason`` is stable and meant for programs, ``message`` says what happened and why, ``advice`` what to do next
    (empty when there is nothing to advise).
    """

    def __init__(self, reason: str, message: str, advice: str = "") -> None:
        super().__init__(reason, message, advice)
        self.reason = reason
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".rstrip()


class SettingsError(ServiceError):
    """A settings file or an overriding environment variable cannot be used; the message names each key at fault."""


class KeyFileError(ServiceError):
    """A private key or passphrase file is missing, too widely readable, malformed, or would be overwritten."""


class FileWriteError(ServiceError):
    """A file could not be made durable on disk."""


class TlsError(ServiceError):
    """A certificate chain and its key do not make a usable TLS context."""


class ListenError(ServiceError):
    """A listener cannot take its address: it is in use, not ours, or not permitted."""


class BackgroundTaskError(ServiceError):
    """A task that the service cannot do without has ended with an error, so the service stopped."""


class DatabaseError(ServiceError):
    """The database cannot be opened, or its schema is not the one this software needs."""


class StampingError(ServiceError):
    """A message could not be given its timestamp or certificate status, so nothing was sent."""
