"""How alembic runs the registry's migrations."""

from central_registry.models import Base
from service_runtime.database import run_migrations

run_migrations(Base.metadata)
