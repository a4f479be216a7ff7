"""One gateway to one SQLite file.

Two processes on one file would each claim request ids correctly, but each would also hold its own view of what is
waiting, and the administrator who started the second by mistake would not notice.
"""

import fcntl
import os
from pathlib import Path

from gateway.errors import QueryLogError


class DatabaseLock:
    """An exclusive lock beside a database file, which the system releases when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises QueryLogError (``log-in-use``, ``log-unavailable``)."""
        try:
            # The file stays when the lock is released: removing it would let two processes lock two files.
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise QueryLogError(
                "log-unavailable",
                f"The lock file {self._path} cannot be opened: {error.strerror}.",
                "Check that the folder exists and belongs to the user that runs the gateway.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise QueryLogError(
                "log-in-use",
                f"Another gateway{f' (process {holder})' if holder else ''} is running on this database: "
                f"it holds {self._path}.",
                "Stop it first, or give this one its own state_directory. Several gateways of one identity need "
                "PostgreSQL.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
