"""Statements that the two databases take alike: with a bounded number of values, and inserts of what is new."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

T = TypeVar("T")
SIZE = 500  # SQLite builds before 3.32 take 999


def chunks(values: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    """The values in order, so many at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def insert_new(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that are not there yet; how many."""
    if not rows:
        return 0
    # Here, as a server on SQLite would otherwise import the other at its start.
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    counted = conn.execution_options(preserve_rowcount=True)
    return counted.execute(insert(table).on_conflict_do_nothing(), rows).rowcount
