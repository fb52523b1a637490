"""The exports of the memory server: the records of a store as a COGX archive, or as Markdown."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from flotilla_kit.exports import Exporter, Progress
from flotilla_kit.times import now
from sqlalchemy import Connection

from ..records import Record
from . import cogx_export, markdown_export, stored
from .importing import DEFAULT_TENANT, NOUNS


def _export(
    write: Callable[[Iterable[Record], Path], None],
    connection: Connection,
    path: Path,
    options: Mapping[str, str],
    progress: Progress,
) -> Mapping[str, int]:
    scope = options.get("tenant", DEFAULT_TENANT), options.get("account")
    progress.total = stored.count(connection, *scope)
    counts = Counter(dict.fromkeys(NOUNS.values(), 0))

    def records() -> Iterator[Record]:
        for record in stored.read(connection, *scope):
            yield record
            counts[NOUNS[type(record)]] += 1
            progress.advance()

    write(records(), path)
    return counts


def _write_cogx(records: Iterable[Record], path: Path) -> None:
    cogx_export.write(records, path, now())


EXPORTERS = [
    Exporter("cogx", partial(_export, _write_cogx)),
    Exporter("markdown", partial(_export, markdown_export.write)),
]
