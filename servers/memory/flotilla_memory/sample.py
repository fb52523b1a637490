"""The sample company's history, for `--demo-data`: calls, e-mails and tickets, and what is remembered of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flotilla_kit import imports, times
from flotilla_kit.imports import Source
from sqlalchemy import Connection, exists, select

from .formats import record_json
from .formats.importing import DEFAULT_TENANT, IMPORTERS
from .formats.locomo import LOCOMO
from .records import Record
from .schema import episodes
from .writing.accounts import lock
from .writing.bulk import write

FOLDER = Path(__file__).parent / "demo"
IMPORTER = next(importer for importer in IMPORTERS if importer.format is LOCOMO)
HISTORY, MEMORIES = FOLDER / "company.json", FOLDER / "memories.jsonl"


def is_empty(conn: Connection) -> bool:
    """Whether no episode was ever written."""
    return not conn.execute(select(exists().select_from(episodes))).scalar_one()


def records() -> Iterator[Record]:
    """What is remembered. A source `["cust_12345", "D3:4"]` is the passage that the history's import calls so."""
    for line in MEMORIES.read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        if "sources" in said:
            said["sources"] = ["/".join(source) for source in said["sources"]]
        yield record_json.load(said)


def load(conn: Connection) -> None:
    """Write the sample into an empty store; another process that was faster has done it."""
    lock(conn, DEFAULT_TENANT, [""])
    if is_empty(conn):
        imports.load(conn, IMPORTER, Source(HISTORY))
        write(conn, DEFAULT_TENANT, list(records()), times.now())
