"""The migrations make the tables that the code reads, on both databases."""

from flotilla_memory.schema import metadata
from flotilla_memory.sql_store import MIGRATIONS
from support.schemas import assert_made


async def test_the_migrations_make_what_the_schema_says(database_url: str) -> None:
    await assert_made(database_url, MIGRATIONS, metadata)
