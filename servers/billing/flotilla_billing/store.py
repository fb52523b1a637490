"""What a billing backend promises. The contract tests in tests/billing run over every implementation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flotilla_kit.effects import Effect
from flotilla_kit.paging import Page
from flotilla_kit.storage import Database

from .models import (
    CustomerBilling,
    DuplicateCharge,
    Eligibility,
    Invoice,
    InvoiceDetail,
    Refund,
    Scope,
    Transaction,
    TransactionStatus,
)


@dataclass(frozen=True)
class TransactionFilter:
    """Which charges: all that match every given field. Days are UTC, `created_from` and `created_to` inclusive."""

    customer_id: str | None = None
    invoice_id: str | None = None
    status: TransactionStatus | None = None
    amount_minor: int | None = None
    currency: str | None = None
    created_from: str | None = None
    created_to: str | None = None


class BillingStore(Protocol):
    """Reads never change anything; a record outside `scope` does not exist (`NotFound`, or absent from lists).

    Every method raises `StoreEmpty` while nothing was imported and `StoreUnavailable` when the backend does not answer.
    """

    database: Database

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...

    async def get_customer(self, scope: Scope, customer_id: str) -> CustomerBilling:
        """Totals and the five latest charges. Raises `NotFound`."""
        ...

    async def find_transactions(
        self, scope: Scope, wanted: TransactionFilter, limit: int, cursor: str | None
    ) -> Page[Transaction]:
        """Newest first. Raises `InvalidCursor`."""
        ...

    async def get_transaction(self, scope: Scope, transaction_id: str) -> Transaction:
        """Raises `NotFound`."""
        ...

    async def find_duplicates(self, scope: Scope, customer_id: str, window_days: int) -> Sequence[DuplicateCharge]:
        """Pairs that something besides the amount links, likeliest first. Raises `NotFound` for an unknown customer."""
        ...

    async def list_invoices(self, scope: Scope, customer_id: str, limit: int, cursor: str | None) -> Page[Invoice]:
        """Newest first. Raises `NotFound` for an unknown customer, `InvalidCursor`."""
        ...

    async def get_invoice(self, scope: Scope, invoice_id: str) -> InvoiceDetail:
        """Raises `NotFound`."""
        ...

    async def check_eligibility(
        self, scope: Scope, transaction_id: str, amount_minor: int | None = None, currency: str | None = None
    ) -> Eligibility:
        """Raises `NotFound`."""
        ...

    async def issue_refund(
        self, scope: Scope, effect: Effect, transaction_id: str, amount_minor: int, currency: str, reason: str
    ) -> Refund:
        """Refund once for this effect, however often and by however many callers it is asked.

        The answer is `pending` while the gateway's outcome is unknown; asking again finds out more.

        Raises:
            NotFound: no such charge in scope.
            ApprovalNeeded: a person has to approve it first (the tool's wrapper asks). Nothing happened.
            RefundRefused: the charge cannot be refunded so; `details.reasons` lists why. Nothing happened.
            RefundInProgress: another call's refund of this amount is unsettled; `details.refund_id`. Nothing happened.
            IdempotencyMismatch: the key was used with other arguments. Nothing happened.
        """
        ...

    async def get_refund(self, scope: Scope, refund_id: str) -> Refund:
        """Raises `NotFound`."""
        ...
