"""The mechanism: a file's rows are read, checked and loaded in one transaction, which ends well or never was.

Rows that the store knows again by what their source calls them may be committed in parts instead: the file is checked
whole before its first part, and the same import after an interruption goes on from there.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from ..storage import Database
from .problems import ImportRefused, ImportStopped, Problem
from .rows import Row, Rows
from .source import Source

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")


def _never(path: Path) -> bool:
    del path
    return False


@dataclass(frozen=True)
class Format(Generic[S, R]):
    """How files of one kind are read.

    Attributes:
        noun: what a row is, in the plural: `payments`.
        read: a file into rows with their lines, for example `read_csv` with its columns given; a `Problem` in place of
            a row that cannot be read.
        check: a row into what `load` takes; raises `BadRow`.
        key: what a checked row is known by, where a file may name it once only.
        kind: what `--kind` calls it, where that is not the noun.
        recognises: whether a path is surely such a file; by that, one of several kinds is chosen without `--kind`.
    """

    noun: str
    read: Callable[[Source], Iterable[Row[S] | Problem]]
    check: Callable[[S], R]
    key: Callable[[R], str] | None = None
    kind: str = ""
    recognises: Callable[[Path], bool] = _never

    @property
    def name(self) -> str:
        """What `--kind` calls it."""
        return self.kind or self.noun

    def rows(self, source: Source, advance: Callable[[], None] = lambda: None) -> Rows[R]:
        """The checked rows of a file, read as they are asked for."""
        source.left_out.clear()
        return Rows(self.read(source), self.check, self.key, advance, source.options)

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

    def __add__(self, other: "Loaded") -> "Loaded":
        of = Counter(self.of)
        of.update(other.of)
        return Loaded(self.added + other.added, self.changed + other.changed, self.known + other.known, of)

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

    `rows_per_commit` is for rows that may be known again one by one: `load` is then called for so many at a time, each
    in a transaction of its own. None: all of a file in one.
    """

    format: Format[S, R]
    load: Callable[[Connection, Rows[R]], Loaded]
    rows_per_commit: int | None = None

    def passes(self, source: Source, *, dry_run: bool = False) -> int:
        """How often `import_into` reads the file: what is committed in parts is checked whole before."""
        return 2 if self.rows_per_commit and source.can_be_read_again and not dry_run else 1


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
        loaded = _load(connection, importer, rows)
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
    """`load` in a transaction of its own, or in several if the importer says so; a dry run's is rolled back.

    A caller that is cancelled stops the import.

    Raises:
        ImportRefused, ImportStopped: as `load`; nothing was imported but what they say was committed.
        StoreUnavailable: the database does not answer.
    """
    if importer.passes(source, dry_run=dry_run) == 2:
        return await _import_in_parts(database, importer, source, advance)

    def transaction(connection: Connection) -> Loaded:
        loaded = load(connection, importer, source, advance=advance)
        if dry_run:
            raise _RolledBack(loaded)
        return loaded

    try:
        return await _or_stopped(source, database.write(transaction))
    except _RolledBack as checked:
        return checked.loaded


async def _import_in_parts(
    database: Database, importer: Importer[Any, Any], source: Source, advance: Callable[[], None]
) -> Loaded:
    def check() -> None:
        with closing(source):
            rows = importer.format.rows(source, advance)
            for _ in rows:
                pass
        _require(importer.format, rows)

    await _or_stopped(source, asyncio.to_thread(check))
    rows, total = importer.format.rows(source, advance), Loaded(0, 0, 0)
    # It was not empty when it was checked; an empty part ends it.
    size, last = importer.rows_per_commit or 1, -1
    with closing(source):
        while rows.count != last:
            last = rows.count

            def transaction(connection: Connection) -> Loaded:
                loaded = _load(connection, importer, rows.part(size))
                rows.problems.refuse()
                source.check_stopped()
                return loaded

            try:
                total += await _or_stopped(source, database.write(transaction))
            except (ImportRefused, ImportStopped) as ended:
                ended.committed = total.added + total.changed
                raise
    return total


async def _or_stopped(source: Source, working: Awaitable[T]) -> T:
    """The result; a caller that is cancelled stops the source, and what that comes to decides."""
    task = asyncio.ensure_future(working)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # The transaction's own end decides: stopped, or too late for that and done.
        source.stop()
        return await task


def _load(connection: Connection, importer: Importer[Any, R], rows: Rows[R]) -> Loaded:
    loaded = importer.load(connection, rows)
    if next(iter(rows), None) is not None:
        raise RuntimeError(f"the import of {importer.format.noun} left rows unread")
    return loaded


def _require(wanted: Format[Any, Any], rows: Rows[Any]) -> None:
    rows.problems.refuse()
    if not rows.count:
        raise ImportRefused([Problem(0, f"the file has no {wanted.noun}")])
