"""The registry database's schema, as alembic revisions."""
