"""The mechanism: a file's rows are read, checked and loaded in one transaction, which ends well or never was."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from ..storage import Database
from .problems import ImportRefused, Problem
from .rows import Row, Rows
from .source import Source

S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True)
class Format(Generic[S, R]):
    """How files of one kind are read.

    Attributes:
        noun: what a row is, in the plural: `payments`.
        read: a file into rows with their lines, for example `read_csv` with its columns given; a `Problem` in place of
            a row that cannot be read.
        check: a row into what `load` takes; raises `BadRow`.
        key: what a checked row is known by, where a file may name it once only.
    """

    noun: str
    read: Callable[[Source], Iterable[Row[S] | Problem]]
    check: Callable[[S], R]
    key: Callable[[R], str] | None = None

    def rows(self, source: Source, advance: Callable[[], None] = lambda: None) -> Rows[R]:
        """The checked rows of a file, read as they are asked for."""
        return Rows(self.read(source), self.check, self.key, advance)

    def parse(self, source: Source) -> list[R]:
        """Every row of a small file, without a store.

        Raises:
            ImportRefused: a row is wrong, or there is none.
        """
        with closing(source):
            rows = self.rows(source)
            found = [row.values for row in rows]
            _require(self, rows)
            return found


@dataclass(frozen=True)
class Loaded:
    """What an import did to the store, in rows; `of` counts what else came with those added: customers, invoices."""

    added: int
    changed: int
    known: int
    of: Mapping[str, int] = field(default_factory=dict[str, int])

    def as_dict(self) -> dict[str, int]:
        return {"added": self.added, "changed": self.changed, "known": self.known, **self.of}

    def said(self, noun: str, *, dry_run: bool = False) -> str:
        """For a person."""
        also = ", ".join(f"{count} {name}" for name, count in self.of.items())
        imported, updated = ("would import", "update") if dry_run else ("imported", "updated")
        detail = f" ({also})" if also else ""
        return f"{imported} {self.added} {noun}{detail}, {updated} {self.changed}, {self.known} already known"


@dataclass(frozen=True)
class Importer(Generic[S, R]):
    """A format, and how its rows get into the store.

    `load` takes the rows in the caller's transaction, all of them, and keeps none: `batches` groups them for statements
    that take many. It refuses a row that contradicts the store with `rows.refuse`, and changes nothing when it gets the
    same file again.
    """

    format: Format[S, R]
    load: Callable[[Connection, Rows[R]], Loaded]


class _RolledBack(Exception):
    """Ends a dry run's transaction."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded


def load(
    connection: Connection,
    importer: Importer[Any, Any],
    source: Source,
    *,
    advance: Callable[[], None] = lambda: None,
) -> Loaded:
    """Import a file in the caller's transaction, which must not be committed if this raises.

    Args:
        advance: called for every row read.

    Raises:
        ImportRefused: the file or a row is wrong, or contradicts the store.
        ImportStopped: somebody stopped the source.
    """
    with closing(source):
        rows = importer.format.rows(source, advance)
        loaded = importer.load(connection, rows)
        if next(iter(rows), None) is not None:
            raise RuntimeError(f"the import of {importer.format.noun} left rows unread")
    _require(importer.format, rows)
    source.check_stopped()
    return loaded


async def import_into(
    database: Database,
    importer: Importer[Any, Any],
    source: Source,
    *,
    dry_run: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Loaded:
    """`load` in a transaction of its own; a dry run's is rolled back. A caller that is cancelled stops the import.

    Raises:
        ImportRefused, ImportStopped: as `load`; nothing was imported.
        StoreUnavailable: the database does not answer.
    """

    def transaction(connection: Connection) -> Loaded:
        loaded = load(connection, importer, source, advance=advance)
        if dry_run:
            raise _RolledBack(loaded)
        return loaded

    writing = asyncio.ensure_future(database.write(transaction))
    try:
        return await asyncio.shield(writing)
    except _RolledBack as checked:
        return checked.loaded
    except asyncio.CancelledError:
        # The transaction's own end decides: stopped, or too late for that and done.
        source.stop()
        return await writing


def _require(wanted: Format[Any, Any], rows: Rows[Any]) -> None:
    rows.problems.refuse()
    if not rows.count:
        raise ImportRefused([Problem(0, f"the file has no {wanted.noun}")])
