"""What migrations made, beside what the code's schema says."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit.storage import Database, Migrations
from sqlalchemy import Connection, MetaData, inspect


async def assert_made(database_url: str, migrations: Migrations, schema: MetaData) -> None:
    """Migrate an empty database: its tables have the schema's columns, null or not, and its indexes."""
    database = await Database.open(database_url, [migrations])
    try:
        tables = await database.read(_made, schema)
    finally:
        await database.close()
    for name, table in schema.tables.items():
        columns, indexes = tables[name]
        assert columns == {column.name: column.nullable for column in table.columns}, name
        for index in table.indexes:
            assert indexes[str(index.name)] == [column.name for column in index.columns], index.name


def _made(conn: Connection, schema: MetaData) -> Mapping[str, Any]:
    found = inspect(conn)
    return {
        table: (
            {column["name"]: column["nullable"] for column in found.get_columns(table)},
            {str(index["name"]): index["column_names"] for index in found.get_indexes(table)},
        )
        for table in schema.tables
    }
