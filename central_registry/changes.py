"""One way to change the registry: with its audit entry and the next revision, in the same transaction."""

import getpass
import os
import socket
from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from central_registry.models import AuditEntry, Revision

Values = dict[str, object]


def record_change(session: Session, action: str, subject: str, before: Values | None, after: Values | None) -> None:
    """Write the audit entry of a change to `subject` and advance the revision.

    `before` and `after` are what can be told in JSON (never a key or passphrase); None stands for what was not there,
    or is not there any more. The caller commits.
    """
    session.add(
        AuditEntry(at=datetime.now(UTC), actor=_actor(), action=action, subject=subject, before=before, after=after)
    )
    # In the database, not read and written back: two changes at the same time make two revisions.
    session.execute(update(Revision).where(Revision.id == 1).values(number=Revision.number + 1))


def serialise(session: Session) -> None:
    """Wait until no other change is under way, and let none begin before this transaction ends.

    For what looks first and writes after: between the two, nobody else writes.
    """
    session.execute(update(Revision).where(Revision.id == 1).values(number=Revision.number))


def _actor() -> str:
    """The person at the terminal, through sudo as well, as far as the system tells."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"[:255]
