"""The gateway database's schema, as alembic revisions."""
