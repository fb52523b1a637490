"""Rows of the embedded store as models. Validating them in pydantic's core is faster than `model_construct`."""

from typing import Any

from flotilla_kit import money
from sqlalchemy import Row

from .models import PaymentMethod, Refund, Transaction


def row_values(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """The row by column name."""
    return row._asdict()  # pyright: ignore[reportPrivateUsage]  # public, named like a named tuple's


def to_transaction(row: Row[Any]) -> Transaction:
    values = row_values(row)
    values["method"] = _method(row)
    values["amount"] = money.to_text(row.amount_minor, row.currency)
    return Transaction.model_validate(values)


def to_refund(row: Row[Any]) -> Refund:
    return Refund(
        refund_id=row.refund_id,
        transaction_id=row.transaction_id,
        customer_id=row.customer_id,
        amount=money.to_text(row.amount_minor, row.currency),
        amount_minor=row.amount_minor,
        currency=row.currency,
        reason=row.reason,
        status=row.status,
        decline_reason=row.decline_reason,
        created_at=row.created_at,
        expected_arrival=row.expected_arrival,
        method=PaymentMethod.model_validate(_method(row)),
    )


def _method(row: Row[Any]) -> dict[str, str | None]:
    return {"kind": row.method_kind, "brand": row.method_brand, "last4": row.method_last4}
