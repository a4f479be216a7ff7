"""Where alembic begins: run the gateway's migrations on the connection that the caller opened."""

from gateway.tables import metadata
from service_runtime.database import run_migrations

run_migrations(metadata)
