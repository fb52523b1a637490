"""What the model sees. Each tool is a line over the store; bad input never reaches it."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastmcp.tools import tool
from flotilla_kit import money, tools
from flotilla_kit.effects import IdempotencyKey
from flotilla_kit.money import AmountMinor, Currency
from flotilla_kit.paging import Cursor, Limit, Page, slice_within
from flotilla_kit.tools import DESTROY, READ, declare, store_of
from pydantic import Field

from .duplicates import DEFAULT_WINDOW_DAYS
from .models import (
    CustomerBilling,
    CustomerId,
    DuplicateCharge,
    Eligibility,
    GatewayCheck,
    GatewayMatch,
    Invoice,
    InvoiceDetail,
    InvoiceId,
    Refund,
    RefundId,
    Scope,
    Transaction,
    TransactionId,
    TransactionStatus,
)
from .quoted import Days, read_amount, read_date
from .store import BillingStore, TransactionFilter

BY_CUSTOMER = "the store looks at the record's customer"
MATCHES = 10
SLACK_DAYS = 3  # a statement shows the posting date, up to this many days after the charge

Quoted = Annotated[str, Field(min_length=1, max_length=60)]


def _store() -> BillingStore:
    return store_of()


def _scope() -> Scope:
    """Whose records the caller may see. (Customers of other scopes were refused when the token was.)"""
    return Scope(**tools.scope())


@tool(annotations=READ)
async def get_customer_billing(customer_id: CustomerId) -> CustomerBilling:
    """A customer's billing at a glance: totals per currency and the latest five charges."""
    return await _store().get_customer(_scope(), customer_id)


@tool(annotations=READ)
async def find_transactions(
    customer_id: CustomerId | None = None,
    invoice_id: InvoiceId | None = None,
    status: TransactionStatus | None = None,
    amount_minor: AmountMinor | None = None,
    currency: Currency | None = None,
    created_from: date | None = None,
    created_to: date | None = None,
    limit: Limit = 20,
    cursor: Cursor | None = None,
) -> Page[Transaction]:
    """Find charges, newest first, failed ones included. For one quoted as on a statement, check_payment_gateway."""
    wanted = TransactionFilter(
        customer_id=customer_id,
        invoice_id=invoice_id,
        status=status,
        amount_minor=amount_minor,
        currency=currency,
        created_from=created_from.isoformat() if created_from else None,
        created_to=created_to.isoformat() if created_to else None,
    )
    return await _store().find_transactions(_scope(), wanted, limit, cursor)


@tool(annotations=READ)
@declare(scoped=BY_CUSTOMER)
async def get_transaction(transaction_id: TransactionId) -> Transaction:
    """One charge with its status, method, refunds and dispute."""
    return await _store().get_transaction(_scope(), transaction_id)


@tool(annotations=READ)
async def check_payment_gateway(date: Quoted, amount: Quoted, customer_id: CustomerId | None = None) -> GatewayCheck:
    """Look up a charge by date and amount as a person quotes them ("Feb 3", "$49"): status, settlement, refundability.

    Args:
        date: such as Feb 3, 2026-02-03, 02/03/2026 or Feb 2026
        amount: such as $49, 49.00 USD or 1.234,56 EUR
    """
    days, quoted = read_date(date, datetime.now(UTC).date()), read_amount(amount)
    read_as = [f"{quoted.decimal} {quoted.currency or 'in any currency'} on {reading}" for reading in days]
    note = None
    found = await _charges(days, quoted.minor_units(), quoted.currency, customer_id)
    if not found:
        near = [Days(reading.first - timedelta(SLACK_DAYS), reading.last + timedelta(SLACK_DAYS)) for reading in days]
        found = await _charges(near, quoted.minor_units(), quoted.currency, customer_id)
        note = f"None on that date; these are within {SLACK_DAYS} days." if found else "No such charge within days."
    elif len(found) > 1:
        note = "Several charges fit; tell them apart before acting on one."
    if len(found) > MATCHES:
        note = f"Only the newest {MATCHES} of those that fit; narrow it by customer_id or a closer date."
    return GatewayCheck(
        read_as=read_as,
        matches=[
            GatewayMatch(transaction=charge, refund=await _store().check_eligibility(_scope(), charge.transaction_id))
            for charge in found[:MATCHES]
        ],
        note=note,
    )


async def _charges(
    days: list[Days],
    minor_units: dict[int, set[int]],
    currency: str | None,
    customer_id: str | None,
) -> list[Transaction]:
    found: dict[str, Transaction] = {}
    for reading in days:
        for exponent, amounts in minor_units.items():
            for amount_minor in amounts:
                wanted = TransactionFilter(
                    customer_id=customer_id,
                    amount_minor=amount_minor,
                    currency=currency,
                    created_from=reading.first.isoformat(),
                    created_to=reading.last.isoformat(),
                )
                page = await _store().find_transactions(_scope(), wanted, MATCHES + 1, None)
                found |= {
                    charge.transaction_id: charge
                    for charge in page.items
                    if money.exponent(charge.currency) == exponent
                }
    return sorted(found.values(), key=lambda charge: (charge.created_at, charge.transaction_id), reverse=True)


@tool(annotations=READ)
async def find_duplicate_charges(
    customer_id: CustomerId,
    window_days: Annotated[int, Field(ge=1, le=60)] = DEFAULT_WINDOW_DAYS,
    limit: Limit = 20,
    cursor: Cursor | None = None,
) -> Page[DuplicateCharge]:
    """Pairs of a customer's charges that may be one charge taken twice, with evidence for and against each.

    Args:
        window_days: how far apart charges without a common invoice may be
    """
    pairs = await _store().find_duplicates(_scope(), customer_id, window_days)
    return slice_within(pairs, tools.most_bytes(), cursor, limit=limit)


@tool(annotations=READ)
async def list_invoices(customer_id: CustomerId, limit: Limit = 20, cursor: Cursor | None = None) -> Page[Invoice]:
    """A customer's invoices, newest first, with how often and how much each was charged."""
    return await _store().list_invoices(_scope(), customer_id, limit, cursor)


@tool(annotations=READ)
@declare(scoped=BY_CUSTOMER)
async def get_invoice(invoice_id: InvoiceId) -> InvoiceDetail:
    """One invoice with every charge made for it."""
    return await _store().get_invoice(_scope(), invoice_id)


@tool(annotations=READ)
@declare(scoped=BY_CUSTOMER)
async def check_refund_eligibility(
    transaction_id: TransactionId, amount_minor: AmountMinor | None = None
) -> Eligibility:
    """Whether a charge can be refunded, how much of it, and every reason against. Changes nothing."""
    return await _store().check_eligibility(_scope(), transaction_id, amount_minor)


@tool(annotations=DESTROY)
@declare(approval="rule", scoped=BY_CUSTOMER)
async def issue_refund(
    transaction_id: TransactionId,
    amount_minor: AmountMinor,
    currency: Currency,
    reason: Annotated[str, Field(min_length=3, max_length=500)],
    idempotency_key: IdempotencyKey | None = None,
) -> Refund:
    """Refund a charge, in whole or part, to its payment method. Moves money; check_refund_eligibility first."""
    del idempotency_key  # it is in the effect
    return await _store().issue_refund(_scope(), tools.effect(), transaction_id, amount_minor, currency, reason)


@tool(annotations=READ)
@declare(scoped=BY_CUSTOMER)
async def get_refund(refund_id: RefundId) -> Refund:
    """A refund's status and expected arrival; pending means the gateway's answer is not known yet."""
    return await _store().get_refund(_scope(), refund_id)


TOOLS = [
    get_customer_billing,
    find_transactions,
    get_transaction,
    check_payment_gateway,
    find_duplicate_charges,
    list_invoices,
    get_invoice,
    check_refund_eligibility,
    issue_refund,
    get_refund,
]
