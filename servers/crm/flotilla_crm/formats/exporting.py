"""The exports of the CRM: CSV files that its imports take."""

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flotilla_kit import money
from flotilla_kit.exports import Exporter, Progress
from sqlalchemy import Connection, func, select

from ..schema import accounts, contacts
from .columns import TABLES, Table

_AT_ONCE = 1_000  # rows that are read and written at a time


def _export(
    table: Table, connection: Connection, path: Path, options: Mapping[str, str], progress: Progress
) -> Mapping[str, int]:
    del options
    rows = table.kind.table
    key = rows.c[table.kind.id]
    there = [rows.c.merged_into.is_(None)] if "merged_into" in rows.c else []
    progress.total = int(connection.execute(select(func.count()).select_from(rows).where(*there)).scalar_one())
    names: dict[str, str] = {}
    addresses: dict[str, str] = {}
    last = ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table.columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        while True:
            found = select(rows).where(key > last, *there).order_by(key).limit(_AT_ONCE)
            batch = [dict(row) for row in connection.execute(found).mappings()]
            if not batch:
                break
            last = str(batch[-1][table.kind.id])
            _look_up(
                connection, accounts.c.account_id, accounts.c.name, names, [row.get("account_id") for row in batch]
            )
            if "contact_email" in table.own:
                people = [row["contact_id"] for row in batch]
                _look_up(connection, contacts.c.contact_id, contacts.c.email, addresses, people)
            writer.writerows(_cells(row, names, addresses) for row in batch)
            progress.advance(len(batch))
    return {table.noun: progress.done}


def _cells(row: Mapping[str, Any], names: Mapping[str, str], addresses: Mapping[str, str]) -> dict[str, Any]:
    amount, currency = row.get("amount_minor"), row.get("currency")
    decimal = money.to_text(amount, currency).split()[0] if amount is not None and currency is not None else None
    done = row.get("done")
    return {
        **row,
        "account_name": names.get(row.get("account_id") or ""),
        "contact_email": addresses.get(row.get("contact_id") or ""),
        "amount": decimal,
        "done": None if done is None else str(bool(done)).lower(),
    }


def _look_up(connection: Connection, key: Any, value: Any, known: dict[str, str], wanted: Sequence[str | None]) -> None:
    missing = sorted({one for one in wanted if one is not None and one not in known})
    if missing:
        found = connection.execute(select(key, value).where(key.in_(missing)))
        known.update({str(identifier): said for identifier, said in found})


EXPORTERS = [Exporter(table.noun, partial(_export, table)) for table in TABLES]
