"""The schema: migrations and tables agree, and the database itself guards its records."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from central_registry.administration import Administration
from central_registry.models import Base
from service_runtime.database import schema_differences


def test_migrations_make_exactly_the_tables(administration: Administration) -> None:
    assert schema_differences(administration.engine, Base.metadata) == []


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM audit", "UPDATE audit SET actor = 'somebody else'", "DELETE FROM certificate"],
)
def test_records_can_be_neither_changed_nor_deleted(administration: Administration, statement: str) -> None:
    with pytest.raises(DBAPIError, match="keeps its rows"), administration.engine.begin() as connection:
        connection.execute(text(statement))


def test_there_is_one_revision(administration: Administration) -> None:
    with pytest.raises(DBAPIError), administration.engine.begin() as connection:
        connection.execute(text("INSERT INTO revision (id, number) VALUES (2, 1)"))
