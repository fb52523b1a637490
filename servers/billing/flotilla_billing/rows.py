"""Rows of the embedded store as models. Our own rows are trusted, so they are not validated again."""

from typing import Any

from flotilla_kit import money
from sqlalchemy import Row

from .models import PaymentMethod, Refund, Transaction


def row_values(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """The row by column name."""
    return row._asdict()  # pyright: ignore[reportPrivateUsage]  # public, named like a named tuple's


def to_transaction(row: Row[Any]) -> Transaction:
    values = row_values(row)
    method = PaymentMethod.model_construct(
        kind=values.pop("method_kind"), brand=values.pop("method_brand"), last4=values.pop("method_last4")
    )
    values["settlement_estimated"] = bool(values["settlement_estimated"])
    return Transaction.model_construct(
        **values, method=method, amount=money.to_text(values["amount_minor"], values["currency"])
    )


def to_refund(row: Row[Any]) -> Refund:
    return Refund.model_construct(
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
        method=PaymentMethod.model_construct(kind=row.method_kind, brand=row.method_brand, last4=row.method_last4),
    )
