"""How Stripe's payments export (Dashboard → Payments → Export) is read: its columns, and a row as a charge."""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flotilla_kit import money
from flotilla_kit.imports import BadRow, Cells, Format, Source, read_csv

from .refunds import add_business_days

Charge = dict[str, Any]
"""A row of `transactions`, and `customer_email`."""

SETTLEMENT_BUSINESS_DAYS = 2  # Stripe's standard schedule; used, and said to be an estimate, where the file has no date
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


def check(cells: Cells) -> Charge:
    """A row of the export as a charge.

    Raises:
        BadRow: it says something that no charge can be, or that can be read in two ways.
    """
    identifier = cells["id"]
    if not _ID.fullmatch(identifier):
        raise BadRow("id '{value}' is not a payment id", column="id", value=identifier)
    currency = cells["currency"].upper()
    if not money.is_currency(currency):
        raise BadRow("'{value}' is not a currency", column="currency", value=cells["currency"])
    status = _STATUS.get(cells["status"].lower())
    if status is None:
        raise BadRow("status '{value}' is not known", column="status", value=cells["status"])
    amount = _amount(cells, "amount", currency)
    if amount <= 0:
        raise BadRow("the amount is not positive", column="amount")
    captured = amount if status == "succeeded" and cells.get("captured", "true").lower() != "false" else 0
    if status == "succeeded" and not captured:
        status = "uncaptured"
    refunded = _amount(cells, "amount refunded", currency)
    if not 0 <= refunded <= captured:
        of = f"{money.to_text(refunded, currency)} of {money.to_text(captured, currency)}"
        raise BadRow("more was refunded than captured: {value}", column="amount refunded", value=of)
    created = _time(cells, "created date (utc)")
    customer = cells.get("customer id") or f"guest_{identifier}"
    if not _ID.fullmatch(customer):
        raise BadRow("customer id '{value}' is not an id", column="customer id", value=customer)
    invoice = cells.get("invoice id") or None
    if invoice and not _ID.fullmatch(invoice):
        raise BadRow("invoice id '{value}' is not an id", column="invoice id", value=invoice)
    given = cells.get("available on (utc)", "")
    settled = (
        _time(cells, "available on (utc)").date()
        if given
        else add_business_days(created.date(), SETTLEMENT_BUSINESS_DAYS)
    )
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


def _amount(cells: Cells, column: str, currency: str) -> int:
    given = cells.get(column) or "0"
    plain: list[str] = []
    if _GROUPED.fullmatch(given):
        plain.append(given.replace(",", ""))
    # 5,000 JPY is no five yen, but 14,750 KWD can be two amounts.
    if (comma := _DECIMAL_COMMA.fullmatch(given)) and len(comma[1]) <= money.exponent(currency):
        plain.append(given.replace(".", "").replace(",", "."))
    if len(plain) > 1:
        raise BadRow(f"{column}: '{{value}}' can be read in two ways", column=column, value=given)
    try:
        return money.to_minor(plain[0] if plain else given, currency)
    except money.NotAnAmount as error:
        raise BadRow(f"{column}: '{{value}}' {error.problem}", column=column, value=given) from None


def _time(cells: Cells, column: str) -> datetime:
    given = cells[column]
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"):
        try:
            return datetime.strptime(given, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise BadRow("'{value}' is not a time such as 2026-02-03 09:15:00", column=column, value=given)


def _transaction_id(charge: Charge) -> str:
    return charge["transaction_id"]


PAYMENTS = Format(
    noun="payments",
    read=partial(read_csv, required=_REQUIRED, other_names=_OTHER_NAMES, name="Stripe's payments export"),
    check=check,
    key=_transaction_id,
)


def parse(export: str) -> list[Charge]:
    """The charges in an export.

    Raises:
        ImportRefused: a row cannot be read, or there is none.
    """
    return PAYMENTS.parse(Source(export))
