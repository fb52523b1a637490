"""Reads Stripe's payments export (Dashboard → Payments → Export) into the embedded store: all of a file or nothing."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flotilla_kit import money
from flotilla_kit.imports import ImportRefused
from sqlalchemy import Connection, func, insert, select, text, update

from . import books
from .refunds import add_business_days
from .schema import customers, transactions

SAMPLE = Path(__file__).parent / "demo" / "payments.csv"
SETTLEMENT_BUSINESS_DAYS = 2  # Stripe's standard schedule; used, and said to be an estimate, where the file has no date
MAX_PROBLEMS = 50
_OTHER_NAMES = {"created (utc)": "created date (utc)"}  # as exports that list the charges' own columns spell it
_REQUIRED = ("id", "created date (utc)", "amount", "currency", "status")
_STATUS = {
    "paid": "succeeded",
    "succeeded": "succeeded",
    "refunded": "succeeded",
    "partially refunded": "succeeded",
    "partial refund": "succeeded",
    "disputed": "succeeded",
    "pending": "pending",
    "processing": "pending",
    "incomplete": "pending",
    "uncaptured": "uncaptured",
    "requires capture": "uncaptured",
    "failed": "failed",
    "blocked": "failed",
    "canceled": "canceled",
    "cancelled": "canceled",
    "expired": "canceled",
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GROUPED = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")  # 1,234.50
_DECIMAL_COMMA = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),([0-9]+)")  # 1.234,50: accounts in such a locale


class _BadRow(ValueError):
    pass


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    added: int
    changed: int
    known: int
    customers: int
    invoices: int

    def __str__(self) -> str:
        return (
            f"imported {self.added} payments ({self.customers} customers, {self.invoices} invoices), "
            f"updated {self.changed}, {self.known} already known"
        )


def parse(export: str) -> list[dict[str, Any]]:
    """The charges in an export, as rows of `transactions` plus `customer_email`.

    Raises:
        ImportRefused: with a line for every row that cannot be read (the first fifty).
    """
    problems: list[str] = []
    rows: dict[str, dict[str, Any]] = {}
    lines = dict[str, int]()
    for line, cells in _records(export):
        try:
            row = _row(cells)
        except _BadRow as problem:
            problems.append(f"line {line}: {problem}")
            continue
        identifier = row["transaction_id"]
        if identifier in rows and rows[identifier] != row:
            problems.append(f"line {line}: {identifier} stands in line {lines[identifier]} with other values")
        rows.setdefault(identifier, row)
        lines.setdefault(identifier, line)
    if len(problems) > MAX_PROBLEMS:
        problems = [*problems[:MAX_PROBLEMS], f"and {len(problems) - MAX_PROBLEMS} more"]
    if problems:
        raise ImportRefused(problems)
    if not rows:
        raise ImportRefused(["the file has a header but no payments"])
    return list(rows.values())


def load(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Imported:
    """Write charges in the caller's transaction, with their ledger entries.

    The file that is imported last is right about a charge's status, dispute and settlement; a refund only ever grows.

    Raises:
        ImportRefused: a known charge differs in what never changes (customer, amount, currency, time), or the file
            refunds what is being refunded here.
    """
    _lock(connection)
    known = {row.transaction_id: row for row in connection.execute(select(transactions))}
    problems = [
        problem for row in rows if (old := known.get(row["transaction_id"])) and (problem := _contradiction(old, row))
    ]
    if problems:
        raise ImportRefused(problems[:MAX_PROBLEMS])
    _add_customers(connection, rows)
    added = [{name: value for name, value in row.items() if name != "customer_email"} for row in rows]
    new = [row for row in added if row["transaction_id"] not in known]
    if new:
        connection.execute(insert(transactions), new)
    for row in new:
        _post_opening(connection, row)
    changed = sum(_update(connection, old, row) for row in added if (old := known.get(row["transaction_id"])))
    return Imported(
        added=len(new),
        changed=changed,
        known=len(rows) - len(new) - changed,
        customers=len({row["customer_id"] for row in new}),
        invoices=len({row["invoice_id"] for row in new if row["invoice_id"]}),
    )


def load_sample(connection: Connection, path: Path) -> None:
    """Load the sample company into an empty store; another process that was faster has done it."""
    _lock(connection)
    if connection.execute(select(func.count()).select_from(transactions)).scalar_one() == 0:
        load(connection, parse(path.read_text(encoding="utf-8")))


def _lock(connection: Connection) -> None:
    """Keep other imports and refunds out until this transaction ends, as SQLite's one writer does anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE transactions IN EXCLUSIVE MODE"))


def _records(export: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each data record with the line it starts in; header names in lower case. A ragged one has no cells."""
    export = export.removeprefix("\ufeff")
    first = export.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(export, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        names = [name.strip().lower() for name in next(reader, list[str]())]
        header = [_OTHER_NAMES.get(name, name) for name in names]
        missing = [name for name in _REQUIRED if name not in header]
        if missing:
            raise ImportRefused(
                [f"line 1: this is not Stripe's payments export; it lacks the columns {', '.join(missing)}"]
            )
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                ragged = len(cells) != len(header)  # cut off, or shifted by a comma that is not quoted
                yield line, {} if ragged else {n: cell.strip() for n, cell in zip(header, cells, strict=True)}
            line = reader.line_num + 1
    except csv.Error as error:
        raise ImportRefused([f"line {reader.line_num}: {error}"]) from None


def _row(cells: Mapping[str, str]) -> dict[str, Any]:
    if not cells:
        raise _BadRow("it has more or fewer cells than the header")
    identifier = cells["id"]
    if not _ID.fullmatch(identifier):
        raise _BadRow(f"id {identifier[:40]!r} is not a payment id")
    currency = cells["currency"].upper()
    if not money.is_currency(currency):
        raise _BadRow(f"{cells['currency'][:10]!r} is not a currency")
    status = _STATUS.get(cells["status"].lower())
    if status is None:
        raise _BadRow(f"status {cells['status'][:40]!r} is not known")
    amount = _amount(cells, "amount", currency)
    if amount <= 0:
        raise _BadRow("the amount is not positive")
    captured = amount if status == "succeeded" and cells.get("captured", "true").lower() != "false" else 0
    if status == "succeeded" and not captured:
        status = "uncaptured"
    refunded = _amount(cells, "amount refunded", currency)
    if not 0 <= refunded <= captured:
        raise _BadRow(
            f"{money.to_text(refunded, currency)} was refunded of {money.to_text(captured, currency)} captured"
        )
    created = _time(cells["created date (utc)"])
    customer = cells.get("customer id") or f"guest_{identifier}"
    if not _ID.fullmatch(customer):
        raise _BadRow(f"customer id {customer[:40]!r} is not an id")
    invoice = cells.get("invoice id") or None
    if invoice and not _ID.fullmatch(invoice):
        raise _BadRow(f"invoice id {invoice[:40]!r} is not an id")
    given = cells.get("available on (utc)", "")
    settled = _time(given).date() if given else add_business_days(created.date(), SETTLEMENT_BUSINESS_DAYS)
    return {
        "transaction_id": identifier,
        "customer_id": customer,
        "customer_name": cells.get("customer description") or cells.get("card name") or None,
        "customer_email": cells.get("customer email") or None,
        "created_at": created.isoformat(),
        "amount_minor": amount,
        "currency": currency,
        "status": status,
        "captured_minor": captured,
        "refunded_minor": refunded,
        "description": cells.get("description") or None,
        "invoice_id": invoice,
        "method_kind": cells.get("payment source type") or "card",
        "method_brand": cells.get("card brand") or None,
        "method_last4": cells.get("card last4") or None,
        "card_id": cells.get("card fingerprint") or cells.get("card id") or None,
        "failure_reason": (cells.get("decline reason") or cells.get("seller message") or None)
        if status == "failed"
        else None,
        "dispute_status": cells.get("dispute status", "").lower().replace(" ", "_") or None,
        "settled_on": settled.isoformat() if captured else None,
        "settlement_estimated": int(bool(captured) and not given),
    }


def _amount(cells: Mapping[str, str], column: str, currency: str) -> int:
    given = cells.get(column) or "0"
    plain: list[str] = []
    if _GROUPED.fullmatch(given):
        plain.append(given.replace(",", ""))
    # 5,000 JPY is no five yen, but 14,750 KWD can be two amounts.
    if (comma := _DECIMAL_COMMA.fullmatch(given)) and len(comma[1]) <= money.exponent(currency):
        plain.append(given.replace(".", "").replace(",", "."))
    if len(plain) > 1:
        raise _BadRow(f"{column}: {given[:40]!r} can be read in two ways")
    try:
        return money.to_minor(plain[0] if plain else given, currency)
    except ValueError as error:
        raise _BadRow(f"{column}: {error}") from None


def _time(given: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(given, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise _BadRow(f"{given[:30]!r} is not a time such as 2026-02-03 09:15:00")


def _contradiction(old: Any, row: Mapping[str, Any]) -> str | None:
    fixed = ("customer_id", "amount_minor", "currency", "created_at")
    other = [name for name in fixed if getattr(old, name) != row[name]]
    if other:
        return f"{row['transaction_id']} is known with another {' and '.join(other)}"
    if max(old.refunded_minor, row["refunded_minor"]) + old.reserved_minor > row["captured_minor"]:
        return f"{row['transaction_id']} was, or is being, refunded here for more than the file leaves captured"
    return None


def _add_customers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    known = set(connection.execute(select(customers.c.customer_id)).scalars())
    new: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["customer_id"] not in known:
            entry = new.setdefault(row["customer_id"], {"customer_id": row["customer_id"], "name": None, "email": None})
            entry["name"] = entry["name"] or row["customer_name"]
            entry["email"] = entry["email"] or row["customer_email"]
    if new:
        connection.execute(insert(customers), list(new.values()))


def _post_opening(connection: Connection, row: Mapping[str, Any]) -> None:
    identifier = row["transaction_id"]
    movements = [amount for amount in (row["captured_minor"], -row["refunded_minor"]) if amount]
    for number, amount in enumerate(movements):
        books.post(connection, f"import_{identifier}_{number}", identifier, amount, row["currency"])


def _update(connection: Connection, old: Any, row: Mapping[str, Any]) -> bool:
    """Bring a known charge up to a newer export; true if anything changed."""
    values = {**row, "refunded_minor": max(old.refunded_minor, row["refunded_minor"])}
    changed = {name: value for name, value in values.items() if getattr(old, name) != value}
    if not changed:
        return False
    identifier = row["transaction_id"]
    for amount in (values["captured_minor"] - old.captured_minor, old.refunded_minor - values["refunded_minor"]):
        if amount:
            number = books.transfers(connection, identifier)
            books.post(connection, f"import_{identifier}_{number}", identifier, amount, row["currency"])
    connection.execute(update(transactions).where(transactions.c.transaction_id == identifier).values(changed))
    return True
