"""Reads of the embedded store: plain `f(conn, …)`, each statement built once for its shape."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from flotilla_kit.errors import NotFound, StoreEmpty
from flotilla_kit.paging import Page, decode_cursor, encode_cursor
from flotilla_kit.storage import PreparedSelect
from sqlalchemy import Connection, Row, Text, and_, bindparam, case, func, or_, select

from .models import CurrencyTotal, CustomerBilling, Invoice, InvoiceDetail, Refund, Scope, Transaction
from .rows import row_values, to_refund, to_transaction
from .schema import customers, refunds, transactions
from .store import TransactionFilter

t = transactions.c
LATEST = 5


def transaction(connection: Connection, scope: Scope, transaction_id: str) -> Transaction:
    """Raises `NotFound`."""
    row = _one(scope.customer_id is not None).first(connection, _bound(scope, id=transaction_id))
    if row is None:
        raise missing(connection, "transaction", transaction_id)
    return to_transaction(row)


def find(
    connection: Connection, scope: Scope, wanted: TransactionFilter, limit: int, cursor: str | None
) -> Page[Transaction]:
    """Raises `InvalidCursor`."""
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    if cursor is not None:
        given["after_time"], given["after_id"] = decode_cursor(cursor, str, str)
    if "created_to" in given:
        given["created_to"] += "~"  # sorts after every time of that day
    if scope.customer_id is not None:
        given["scope"] = scope.customer_id
    rows = _find(frozenset(given)).all(connection, {**given, "limit": limit + 1})
    if not rows:
        refuse_if_empty(connection)
    items = [to_transaction(row) for row in rows[:limit]]
    more = encode_cursor(items[-1].created_at, items[-1].transaction_id) if len(rows) > limit else None
    return Page[Transaction].model_construct(items=items, next_cursor=more)


def customer(connection: Connection, scope: Scope, customer_id: str) -> CustomerBilling:
    """Raises `NotFound`."""
    known = require_customer(connection, scope, customer_id)
    counts = connection.execute(_COUNTS, {"customer_id": customer_id}).one()
    totals = connection.execute(_TOTALS, {"customer_id": customer_id}).all()
    latest = find(connection, scope, TransactionFilter(customer_id=customer_id), LATEST, None)
    return CustomerBilling(
        customer_id=customer_id,
        name=known.name,
        email=known.email,
        transactions=counts.transactions,
        failed=counts.failed,
        disputed=counts.disputed,
        totals=[CurrencyTotal.model_validate(row_values(row)) for row in totals],
        latest=latest.items,
    )


def charges_to_compare(connection: Connection, scope: Scope, customer_id: str) -> Sequence[Transaction]:
    """A customer's captured charges, all of them. Raises `NotFound`."""
    require_customer(connection, scope, customer_id)
    return [to_transaction(row) for row in connection.execute(_CAPTURED, {"customer_id": customer_id})]


def list_invoices(
    connection: Connection, scope: Scope, customer_id: str, limit: int, cursor: str | None
) -> Page[Invoice]:
    """Raises `NotFound`, `InvalidCursor`."""
    require_customer(connection, scope, customer_id)
    statement = _INVOICES.where(t.customer_id == customer_id)
    if cursor is not None:
        time, invoice_id = decode_cursor(cursor, str, str)
        first = func.min(t.created_at)
        statement = statement.having(or_(first < time, and_(first == time, t.invoice_id < invoice_id)))
    statement = statement.order_by(func.min(t.created_at).desc(), t.invoice_id.desc()).limit(limit + 1)
    rows = connection.execute(statement).all()
    items = [Invoice.model_validate(row_values(row)) for row in rows[:limit]]
    more = encode_cursor(items[-1].first_charged_at, items[-1].invoice_id) if len(rows) > limit else None
    return Page[Invoice](items=items, next_cursor=more)


def invoice(connection: Connection, scope: Scope, invoice_id: str) -> InvoiceDetail:
    """Raises `NotFound`."""
    seen = [t.invoice_id == invoice_id, *([t.customer_id == scope.customer_id] if scope.customer_id else [])]
    row = connection.execute(_INVOICES.where(*seen)).first()
    if row is None:
        raise missing(connection, "invoice", invoice_id)
    charges = connection.execute(select(transactions).where(*seen).order_by(t.created_at, t.transaction_id))
    return InvoiceDetail(**row_values(row), transactions=[to_transaction(charge) for charge in charges])


def refund(connection: Connection, scope: Scope, refund_id: str) -> Refund:
    """Raises `NotFound`."""
    row = connection.execute(_REFUND, {"id": refund_id}).one_or_none()
    if row is None or scope.customer_id not in (None, row.customer_id):
        raise missing(connection, "refund", refund_id)
    return to_refund(row)


def require_customer(connection: Connection, scope: Scope, customer_id: str) -> Row[Any]:
    """Raises `NotFound` when the customer is not there or not in scope."""
    row = connection.execute(_CUSTOMER, {"customer_id": customer_id}).one_or_none()
    if row is None or scope.customer_id not in (None, customer_id):
        raise missing(connection, "customer", customer_id)
    return row


def is_empty(connection: Connection) -> bool:
    return connection.execute(_ANY).first() is None


def refuse_if_empty(connection: Connection) -> None:
    """Raises `StoreEmpty` with how to fill it."""
    if is_empty(connection):
        raise StoreEmpty(
            "No payments have been imported yet.",
            suggestion="payments.csv is Stripe's payments export. Started with --demo-data it has a sample company.",
            command=("import", "payments.csv"),
        )


def missing(connection: Connection, what: str, identifier: str) -> NotFound:
    """The error for a record that is not there (or not in scope: the same words). Raises `StoreEmpty` instead."""
    refuse_if_empty(connection)
    return NotFound(f"There is no {what} {identifier}.", suggestion=_ELSEWHERE[what])


_ELSEWHERE = {
    "customer": "Check the id; find_transactions lists charges with their customers.",
    "transaction": "Check the id; find_transactions finds charges by customer, date or amount.",
    "invoice": "Check the id; list_invoices lists a customer's invoices.",
    "refund": "Check the id; issue_refund returned it.",
}
_ANY = select(t.transaction_id).limit(1)
_CUSTOMER = select(customers).where(customers.c.customer_id == bindparam("customer_id"))
_REFUND = (
    select(refunds, t.method_kind, t.method_brand, t.method_last4)
    .join(transactions, t.transaction_id == refunds.c.transaction_id)
    .where(refunds.c.refund_id == bindparam("id"))
)
_OF_CUSTOMER = t.customer_id == bindparam("customer_id")
_CAPTURED = select(transactions).where(_OF_CUSTOMER, t.status == "succeeded")
_COUNTS = select(
    func.count().label("transactions"),
    func.count(case((t.status == "failed", 1))).label("failed"),
    func.count(t.dispute_status).label("disputed"),
).where(_OF_CUSTOMER)
_TOTALS = (
    select(
        t.currency,
        func.sum(t.captured_minor).label("captured_minor"),
        func.sum(t.refunded_minor).label("refunded_minor"),
    )
    .where(_OF_CUSTOMER)
    .group_by(t.currency)
    .order_by(t.currency)
)
_INVOICES = (
    select(
        t.invoice_id,
        t.customer_id,
        t.currency,
        func.min(t.created_at).label("first_charged_at"),
        func.count().label("charges"),
        func.count(case((t.status == "succeeded", 1))).label("succeeded"),
        func.sum(t.captured_minor).label("captured_minor"),
        func.sum(t.refunded_minor).label("refunded_minor"),
    )
    .where(t.invoice_id.is_not(None))
    .group_by(t.invoice_id, t.customer_id, t.currency)
)


def _bound(scope: Scope, **values: Any) -> dict[str, Any]:
    return values if scope.customer_id is None else {**values, "scope": scope.customer_id}


@cache
def _one(scoped: bool) -> PreparedSelect:
    statement = select(transactions).where(t.transaction_id == bindparam("id"))
    return PreparedSelect(statement.where(t.customer_id == bindparam("scope")) if scoped else statement)


@cache
def _find(given: frozenset[str]) -> PreparedSelect:
    statement = select(transactions).order_by(t.created_at.desc(), t.transaction_id.desc()).limit(bindparam("limit"))
    for name in ("customer_id", "invoice_id", "status", "amount_minor", "currency"):
        if name in given:
            statement = statement.where(t[name] == bindparam(name))
    if "created_from" in given:
        statement = statement.where(t.created_at >= bindparam("created_from"))
    if "created_to" in given:
        statement = statement.where(t.created_at <= bindparam("created_to"))
    if "after_time" in given:
        time, identifier = bindparam("after_time", type_=Text), bindparam("after_id", type_=Text)
        statement = statement.where(or_(t.created_at < time, and_(t.created_at == time, t.transaction_id < identifier)))
    return PreparedSelect(statement.where(t.customer_id == bindparam("scope")) if "scope" in given else statement)
