"""The migrations make the tables that the code reads, on both databases."""

from collections.abc import Mapping
from typing import Any

from flotilla_crm.schema import metadata
from flotilla_crm.sql_store import MIGRATIONS
from flotilla_kit.storage import Database
from sqlalchemy import Connection, inspect


def made(conn: Connection) -> Mapping[str, Any]:
    """Of each table its columns, with whether they may be null, and its indexes by name."""
    found = inspect(conn)
    return {
        table: (
            {column["name"]: column["nullable"] for column in found.get_columns(table)},
            {str(index["name"]): index["column_names"] for index in found.get_indexes(table)},
        )
        for table in metadata.tables
    }


async def test_the_migrations_make_what_the_schema_says(database_url: str) -> None:
    database = await Database.open(database_url, [MIGRATIONS])
    try:
        tables = await database.read(made)
    finally:
        await database.close()
    for name, table in metadata.tables.items():
        columns, indexes = tables[name]
        assert columns == {column.name: column.nullable for column in table.columns}, name
        for index in table.indexes:
            assert indexes[str(index.name)] == [column.name for column in index.columns], index.name
