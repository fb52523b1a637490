"""The import of payments into the books: charges with their customers and ledger entries, all of a file or nothing.

The file that is imported last is right about a charge's status, dispute and settlement; a refund only ever grows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flotilla_kit import imports
from flotilla_kit.imports import BadRow, Importer, Loaded, Row, Rows, Source, batches
from sqlalchemy import Connection, Text, bindparam, func, insert, select, text, update

from . import books
from .books import Transfer
from .schema import customers, transactions
from .stripe_csv import PAYMENTS, Charge

SAMPLE = Path(__file__).parent / "demo" / "payments.csv"
_FIXED = ("customer_id", "amount_minor", "currency", "created_at")
t, c = transactions.c, customers.c
_SAY_MORE = (
    update(customers)
    .where(c.customer_id == bindparam("id"))
    .values(
        name=func.coalesce(c.name, bindparam("name", type_=Text)),
        email=func.coalesce(c.email, bindparam("email", type_=Text)),
    )
)


def load(connection: Connection, rows: Rows[Charge]) -> Loaded:
    """Write charges in the caller's transaction.

    Refused is a known charge that differs in what never changes (customer, amount, currency, time), and a file that
    refunds what is being refunded here.
    """
    _lock(connection)
    read = added = changed = 0
    new_customers, paying, invoices = set[str](), set[str](), set[str]()
    for batch in batches(rows):
        known = _known(connection, batch)
        read += len(batch)
        for row in batch:
            if (old := known.get(row.values["transaction_id"])) and (bad := _contradiction(old, row.values)):
                rows.refuse(row, bad)
        if rows.problems.count:
            continue  # nothing will be kept; what else is wrong is still found
        charges = [row.values for row in batch]
        _add_customers(connection, charges, new_customers)
        values = [{name: value for name, value in charge.items() if name != "customer_email"} for charge in charges]
        new = [row for row in values if row["transaction_id"] not in known]
        if new:
            connection.execute(insert(transactions), new)
            books.post_all(connection, [transfer for row in new for transfer in _opening(row)])
        changed += sum(_update(connection, old, row) for row in values if (old := known.get(row["transaction_id"])))
        added += len(new)
        paying.update(row["customer_id"] for row in new)
        invoices.update(row["invoice_id"] for row in new if row["invoice_id"])
    return Loaded(added, changed, read - added - changed, {"customers": len(paying), "invoices": len(invoices)})


PAYMENTS_IMPORT = Importer(PAYMENTS, load)


def load_sample(connection: Connection, path: Path) -> None:
    """Load the sample company into an empty store; another process that was faster has done it."""
    _lock(connection)
    if connection.execute(select(func.count()).select_from(transactions)).scalar_one() == 0:
        imports.load(connection, PAYMENTS_IMPORT, Source(path))


def _lock(connection: Connection) -> None:
    """Keep other imports and refunds out until this transaction ends, as SQLite's one writer does anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE transactions IN EXCLUSIVE MODE"))


def _known(connection: Connection, batch: Sequence[Row[Charge]]) -> dict[str, Any]:
    ids = [row.values["transaction_id"] for row in batch]
    return {
        row.transaction_id: row for row in connection.execute(select(transactions).where(t.transaction_id.in_(ids)))
    }


def _contradiction(old: Any, row: Charge) -> BadRow | None:
    identifier = row["transaction_id"]
    other = [name for name in _FIXED if getattr(old, name) != row[name]]
    if other:
        return BadRow(f"{{value}} is known with another {' and '.join(other)}", column="id", value=identifier)
    if max(old.refunded_minor, row["refunded_minor"]) + old.reserved_minor > row["captured_minor"]:
        message = "{value} was, or is being, refunded here for more than the file leaves captured"
        return BadRow(message, column="id", value=identifier)
    return None


def _add_customers(connection: Connection, charges: Sequence[Charge], new: set[str]) -> None:
    """Write the customers of a batch. `new` are those that this import added: the file may say more about them yet."""
    given: dict[str, dict[str, Any]] = {}
    for charge in charges:
        key = charge["customer_id"]
        entry = given.setdefault(key, {"customer_id": key, "name": None, "email": None})
        entry["name"] = entry["name"] or charge["customer_name"]
        entry["email"] = entry["email"] or charge["customer_email"]
    known = set(connection.execute(select(c.customer_id).where(c.customer_id.in_(list(given)))).scalars())
    if fresh := [entry for key, entry in given.items() if key not in known]:
        connection.execute(insert(customers), fresh)
    if more := [
        {"id": key, "name": given[key]["name"], "email": given[key]["email"]}
        for key in known & new
        if given[key]["name"] or given[key]["email"]
    ]:
        connection.execute(_SAY_MORE, more)
    new.update(given.keys() - known)


def _opening(row: Charge) -> list[Transfer]:
    identifier = row["transaction_id"]
    movements = [amount for amount in (row["captured_minor"], -row["refunded_minor"]) if amount]
    return [
        Transfer(f"import_{identifier}_{number}", identifier, amount, row["currency"])
        for number, amount in enumerate(movements)
    ]


def _update(connection: Connection, old: Any, row: Charge) -> bool:
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
    connection.execute(update(transactions).where(t.transaction_id == identifier).values(changed))
    return True
