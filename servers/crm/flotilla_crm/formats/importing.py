"""The imports of the CRM: CSV files of accounts, contacts, deals and activities, all of a file or nothing."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from flotilla_kit import times
from flotilla_kit.imports import BadRow, Cells, Format, Importer, Loaded, Problem, Row, Rows, Source, batches, read_csv
from sqlalchemy import Connection

from ..records import DEAL
from ..values import email_key
from ..writing.bulk import Given, Writer
from ..writing.history import Origin
from .cells import CURRENCY, DATES, REGION, amount_of, option, values_of
from .columns import TABLES, Table

OPTIONS = {
    DATES: "dmy or mdy: which is first in dates such as 3/4/2026",
    CURRENCY: "of amounts in a file that has no column for it, such as USD",
    REGION: "country of phone numbers without one, such as US",
    "new_stages": "yes: add stages that the pipeline does not have; won and lost by their names",
}
ACTOR = "import"


def _read(table: Table, source: Source) -> Iterator[Row[Cells] | Problem]:
    given = {option(name): source.options.get(name, "") for name in (DATES, CURRENCY, REGION)}
    name = f"a file of {table.noun}"
    for item in read_csv(source, required=table.required, other_names=table.other_names, name=name):
        yield item if isinstance(item, Problem) else Row(item.line, {**item.values, **given})


def _check(table: Table, cells: Cells) -> Given:
    values = values_of(table, cells)
    for name in table.required:
        if values.get(name) is None and name != "last_name":
            raise BadRow(f"it has no {name}", column=name)
    if table.kind is DEAL:
        values |= amount_of(values, cells)
    values.pop("amount", None)
    if table.noun == "contacts" and not any(values.get(name) for name in ("last_name", "first_name", "email")):
        raise BadRow("it has neither a name nor an e-mail address")
    return values


def _key(table: Table, given: Given) -> str:
    """What a file may name once: an id, else what the store knows such a record by."""
    if (identifier := given.get(table.kind.id)) is not None:
        return str(identifier)
    if given.get("email"):
        return email_key(str(given["email"]))
    return repr(sorted(given.items(), key=lambda item: item[0]))


def _load(table: Table, connection: Connection, rows: Rows[Given]) -> Loaded:
    origin = Origin(ACTOR, times.now())
    writer = Writer(connection, table.kind, origin, new_stages=rows.options.get("new_stages") == "yes")
    loaded, stages = Loaded(0, 0, 0), 0
    for batch in batches(rows):
        written = writer.write([row.values for row in batch])
        for number, bad in written.refused.items():
            rows.refuse(batch[number], BadRow(f"'{{value}}' {bad.problem}", column=bad.field, value=bad.value))
        loaded += Loaded(written.added, written.changed, written.known)
        stages += written.stages
    return loaded + Loaded(0, 0, 0, {"stages": stages} if stages else {})


def _importer(table: Table) -> Importer[Cells, Given]:
    check: Callable[[Cells], Given] = partial(_check, table)
    format_ = Format(
        noun=table.noun,
        read=partial(_read, table),
        check=check,
        key=partial(_key, table),
        recognises=table.fits,
    )
    return Importer(format_, partial(_load, table))


IMPORTERS: Sequence[Importer[Any, Any]] = [_importer(table) for table in TABLES]
