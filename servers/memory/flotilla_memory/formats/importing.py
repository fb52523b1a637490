"""The imports of the memory server: each format's records into the store, in parts that are known again."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flotilla_kit import times
from flotilla_kit.errors import Conflict
from flotilla_kit.imports import BadRow, Format, Importer, Loaded, Row, Rows
from sqlalchemy import Connection

from ..records import Entity, Episode, Memory, Record, Relation
from ..writing.bulk import write
from .cogx import COGX
from .locomo import LOCOMO
from .mail import MAIL
from .mem0 import MEM0
from .notes import NOTES
from .server_memory import SERVER_MEMORY

FORMATS: Sequence[Format[Any, Any]] = (COGX, MEM0, SERVER_MEMORY, NOTES, MAIL, LOCOMO)
DEFAULT_TENANT = "default"
NOUNS: dict[type[Any], str] = {Episode: "episodes", Memory: "memories", Entity: "entities", Relation: "relations"}
_ROWS_PER_COMMIT = 500
_MOST_RECORDS, _MOST_TEXT = 500, 2_000_000  # that are written at once: in number, and in characters


def load(connection: Connection, rows: Rows[tuple[Record, ...]]) -> Loaded:
    """Write records in the caller's transaction. Refused is an episode that is known with other turns."""
    tenant_id, now = rows.options.get("tenant", DEFAULT_TENANT), times.now()
    loaded = Loaded(0, 0, 0)
    for batch in _batches(rows):
        try:
            loaded += _write(connection, tenant_id, batch, now)
        except Conflict:
            for row in batch:
                try:
                    loaded += _write(connection, tenant_id, [row], now)
                except Conflict as changed:
                    rows.refuse(row, BadRow(changed.message.rstrip(".")))
    return loaded


IMPORTERS: Sequence[Importer[Any, Any]] = [Importer(format_, load, _ROWS_PER_COMMIT) for format_ in FORMATS]


def _write(connection: Connection, tenant_id: str, rows: Sequence[Row[tuple[Record, ...]]], now: str) -> Loaded:
    records = [record for row in rows for record in row.values]
    with connection.begin_nested():
        written = write(connection, tenant_id, records, now)
    return Loaded(written.added, written.changed, written.known)


def _batches(rows: Iterable[Row[tuple[Record, ...]]]) -> Iterator[list[Row[tuple[Record, ...]]]]:
    held, number, size = list[Row[tuple[Record, ...]]](), 0, 0
    for row in rows:
        held.append(row)
        number += len(row.values)
        size += sum(map(_length, row.values))
        if number >= _MOST_RECORDS or size >= _MOST_TEXT:
            yield held
            held, number, size = [], 0, 0
    if held:
        yield held


def _length(record: Record) -> int:
    if isinstance(record, Episode):
        return sum(len(turn.text) for turn in record.turns)
    return len(record.text) if isinstance(record, Memory) else 0
