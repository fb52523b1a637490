"""Statements that the two databases take alike: look-ups and inserts of many rows in one."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias, TypeVarTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Ts = TypeVarTuple("Ts")
Named: TypeAlias = tuple[int, str]
"""An account, and a name of something in it."""
Row = Mapping[str, Any]


def find_named(
    conn: Connection, wanted: Select[*Ts], of: Column[int], name: Column[Any], names: Collection[Named]
) -> list[Any]:
    """The rows of a query that have one of these names: one statement, whatever the number of names and accounts.

    Args:
        of: the column of the account; with `name` the beginning of an index.
    """
    if not names:
        return []
    if conn.dialect.name == "postgresql":
        of_names, texts = zip(*names, strict=True)
        bigints, strings = literal(list(of_names), ARRAY(BigInteger)), literal(list(texts), ARRAY(Text))
        given = func.unnest(bigints, strings).table_valued("of", "name").render_derived()
        return list(conn.execute(wanted.join(given, (of == given.c.of) & (name == given.c.name))))
    # SQLite's JSON ends a text with a NUL.
    rows = [row for key, said in names if "\0" in said for row in conn.execute(wanted.where(of == key, name == said))]
    each = func.json_each(json.dumps([named for named in names if "\0" not in named[1]])).table_valued("value")
    at = [func.json_extract(each.c.value, path) for path in ("$[0]", "$[1]")]
    return rows + list(conn.execute(wanted.join(each, (of == at[0]) & (name == at[1]))))


def listed(values: Collection[int] | Collection[str]) -> str:
    """Values as a statement's `among` takes them."""
    return json.dumps([*values])


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a column has one of the values in a JSON list, which is the parameter of that name.

    The statement stays the same however many they are.
    """
    return _Among(column, bindparam(name, type_=Text)).as_comparison(1, 2)


class _Among(FunctionElement[bool]):
    inherit_cache = True
    type = Boolean()


@compiles(_Among)
def _among(element: _Among, compiler: SQLCompiler, **_: Any) -> str:
    column, values = map(compiler.process, element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: SQLCompiler, **_: Any) -> str:
    column, values = element.clauses
    of = compiler.dialect.type_compiler_instance.process(column.type)
    each = f"SELECT CAST(json_array_elements_text(CAST({compiler.process(values)} AS json)) AS {of})"
    return f"{compiler.process(column)} = ANY(ARRAY({each}))"


def insert_keyed(conn: Connection, table: Table, rows: Sequence[Row]) -> list[int]:
    """Insert rows under new keys; the keys, in order.

    Keys are taken first, as reading them back from an insert costs more than it. On SQLite nobody else writes now.
    """
    if not rows:
        return []
    (key,) = table.primary_key
    if conn.dialect.name == "postgresql":
        taken = text("SELECT nextval(pg_get_serial_sequence(:table, :column)) FROM generate_series(1, :number)")
        values = {"table": table.name, "column": key.name, "number": len(rows)}
        keys = sorted(int(one) for one in conn.execute(taken, values).scalars())
    else:
        first = int(conn.execute(select(func.coalesce(func.max(key), 0))).scalar_one()) + 1
        keys = list(range(first, first + len(rows)))
    conn.execute(insert(table), [{key.name: one, **row} for one, row in zip(keys, rows, strict=True)])
    return keys
