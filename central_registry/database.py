"""The registry's database: opened for one piece of work, with failures that tell what to do instead of SQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from central_registry.settings import RegistrySettings
from central_registry.state_folder import StateFolder
from service_runtime.database import open_engine, require_migrated
from service_runtime.errors import DatabaseError

PACKAGE = "central_registry"
"""The package whose migrations make the database."""

MIGRATE_COMMAND = "xacbe registry migrate --config FILE"

_log = structlog.get_logger("database")


def database_url(settings: RegistrySettings) -> str:
    """The database that the settings name, or the one in the state folder."""
    return settings.database_url or StateFolder(settings.state).database_url


@contextmanager
def open_database(url: str) -> Iterator[Engine]:
    """An engine, disposed at the end. Whatever the database refuses becomes a DatabaseError.

    Reasons: `database-busy-or-unreachable`, `database-failed`; what exactly was refused goes to the log alone.
    """
    engine = open_engine(url)
    try:
        yield engine
    except OperationalError as error:
        _log.debug("database-unreachable", exc_info=error)
        raise DatabaseError(
            "database-busy-or-unreachable",
            f"The database {_name(engine)} cannot be used now: {error.orig}.",
            "Check that it can be reached, has free space, and that no other command holds it; then try again.",
        ) from None
    except SQLAlchemyError as error:
        _log.debug("database-failed", exc_info=error)
        raise DatabaseError(
            "database-failed",
            f"The database {_name(engine)} refused; nothing was changed.",
            "Try again; if it goes on, restore it from a backup.",
        ) from None
    finally:
        engine.dispose()


@contextmanager
def open_registry_database(settings: RegistrySettings) -> Iterator[Engine]:
    """The engine of an initialised registry; raises DatabaseError, also when it is not of this software's version."""
    with open_database(database_url(settings)) as engine:
        require_migrated(engine, PACKAGE, MIGRATE_COMMAND)
        yield engine


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
