"""The imports of the memory server: each format's records into the store, in parts that are known again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from flotilla_kit.imports import Format, Importer, Loaded, Row, Rows
from sqlalchemy import Connection

from ..records import Entity, Episode, Memory, Record, Relation
from ..times import now
from .cogx import COGX
from .locomo import LOCOMO
from .mail import MAIL
from .mem0 import MEM0
from .notes import NOTES
from .server_memory import SERVER_MEMORY

FORMATS: Sequence[Format[Any, Any]] = (COGX, MEM0, SERVER_MEMORY, NOTES, MAIL, LOCOMO)
OPTIONS = {
    "account": "the account that all of it belongs to (import), or the only one to write (export)",
    "tenant": 'whose memory it is; "default" is that of whoever needs no tenants',
}
DEFAULT_TENANT = "default"
NOUNS: dict[type[Any], str] = {Episode: "episodes", Memory: "memories", Entity: "entities", Relation: "relations"}
_ROWS_PER_COMMIT = 500
_MOST_RECORDS, _MOST_TEXT = 500, 2_000_000  # that are written at once: in number, and in characters


class Written(Protocol):
    """What writing some records did to the store."""

    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def known(self) -> int: ...


Write = Callable[[Connection, str, Sequence[Record], str], Written]
"""`write(connection, tenant_id, records, now)`: what is known by its external id or content is not written again."""


def importers(write: Write) -> list[Importer[Any, Any]]:
    """One importer for each format, over the store's own way to write records."""
    return [Importer(format_, partial(_load, write), _ROWS_PER_COMMIT) for format_ in FORMATS]


def _load(write: Write, connection: Connection, rows: Rows[tuple[Record, ...]]) -> Loaded:
    tenant_id, at = rows.options.get("tenant", DEFAULT_TENANT), now()
    loaded = Loaded(0, 0, 0)
    for records in _batches(rows):
        written = write(connection, tenant_id, records, at)
        # What was read, by kind: how much of it was new is the sum before.
        read = Counter(NOUNS[type(record)] for record in records)
        loaded += Loaded(written.added, written.changed, written.known, read)
    return loaded


def _batches(rows: Iterable[Row[tuple[Record, ...]]]) -> Iterator[list[Record]]:
    held, size = list[Record](), 0
    for row in rows:
        for record in row.values:
            held.append(record)
            size += _length(record)
            if len(held) >= _MOST_RECORDS or size >= _MOST_TEXT:
                yield held
                held, size = [], 0
    if held:
        yield held


def _length(record: Record) -> int:
    if isinstance(record, Episode):
        return sum(len(turn.text) for turn in record.turns)
    return len(record.text) if isinstance(record, Memory) else 0
