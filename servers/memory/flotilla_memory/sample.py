"""The sample company's history, for `--demo-data`: calls, e-mails and tickets, and what is remembered of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flotilla_kit import imports
from flotilla_kit.imports import Importer, Source
from sqlalchemy import Connection, exists, select

from .formats import record_json
from .records import Record
from .schema import accounts

FOLDER = Path(__file__).parent / "demo"
HISTORY, MEMORIES = FOLDER / "company.json", FOLDER / "memories.jsonl"


def is_empty(conn: Connection) -> bool:
    """Whether nothing was ever written."""
    return not conn.execute(select(exists().select_from(accounts))).scalar_one()


def records() -> Iterator[Record]:
    """What is remembered. A source `["cust_12345", "D3:4"]` is the passage that the history's import calls so."""
    for line in MEMORIES.read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        if "sources" in said:
            said["sources"] = ["/".join(source) for source in said["sources"]]
        yield record_json.load(said)


def load_history(conn: Connection, importer: Importer[Any, Any]) -> None:
    """Import the history in the caller's transaction."""
    imports.load(conn, importer, Source(HISTORY))
