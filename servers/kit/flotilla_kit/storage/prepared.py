"""Prepared selects: for what is read on nearly every call."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Connection, Row, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import result_tuple

_SQLITE = sqlite.dialect(paramstyle="named")


class PreparedSelect:
    """A SELECT that is compiled once, and on SQLite handed to the driver as it is.

    What SQLAlchemy does around a statement that it knows already takes several times what SQLite takes to answer it.
    On PostgreSQL it is executed like any other.

    Raises:
        TypeError: a column's type is not as SQLite stores it (a number or a text is).
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        columns = statement.selected_columns
        if converted := [c.name for c in columns if c.type.dialect_impl(_SQLITE).result_processor(_SQLITE, None)]:
            raise TypeError(f"{', '.join(converted)}: a prepared select takes columns as SQLite stores them")
        compiled = statement.compile(dialect=_SQLITE)
        self._sql = compiled.string
        self._given = {name: bound.value for name, bound in compiled.binds.items() if not bound.required}
        self._row = result_tuple([column.name for column in columns])

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Row[Any] | None:
        """The first row, if there is one; `values` are those of the statement's `bindparam`s."""
        return next(iter(self.all(connection, values)), None)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Row[Any]]:
        """All rows.

        Raises:
            sqlite3.Error, sqlalchemy.exc.DBAPIError: as the database says. `Database` answers for one that is gone.
        """
        if connection.dialect.name != "sqlite":
            return [*connection.execute(self._statement, values)]
        driver = cast(Any, connection.connection.driver_connection)
        return [*map(self._row, driver.execute(self._sql, {**self._given, **values}))]
