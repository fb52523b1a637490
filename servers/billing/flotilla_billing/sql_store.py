"""The embedded backend: SQLite or PostgreSQL by one code path, and a payment gateway behind it."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from flotilla_kit.effects import Effect, ExternalEffects, faults
from flotilla_kit.paging import Page
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from flotilla_kit.storage.addresses import store_url

from . import queries, refunding
from .duplicates import find_duplicates
from .gateway import GatewayEffects, LedgerGateway, PaymentGateway
from .models import CustomerBilling, DuplicateCharge, Eligibility, Invoice, InvoiceDetail, Refund, Scope, Transaction
from .payments_import import SAMPLE, load_sample
from .refunding import RefundRules
from .refunds import eligibility
from .settings import Settings
from .store import TransactionFilter

MIGRATIONS = Migrations("billing", Path(__file__).parent / "migrations")


class SqlBillingStore:
    """A `BillingStore` over the embedded database."""

    def __init__(self, settings: Settings, gateway: PaymentGateway | None = None) -> None:
        self.settings = settings
        self._gateway = GatewayEffects(gateway or LedgerGateway())

    async def open(self) -> None:
        settings = self.settings
        self.database = await Database.open(
            store_url(settings), [KIT_MIGRATIONS, MIGRATIONS], read_only=settings.read_only
        )
        if settings.demo_data and not settings.read_only and await self.database.read(queries.is_empty):
            await self.database.write(load_sample, SAMPLE)
        self._external = ExternalEffects(settings.server, self.database, self._gateway, refunding.settle)
        if not settings.read_only:
            await self._external.start()

    async def close(self) -> None:
        await self._external.close()
        await self.database.close()

    async def ping(self) -> None:
        await self.database.ping()

    async def get_customer(self, scope: Scope, customer_id: str) -> CustomerBilling:
        return await self.database.read(queries.customer, scope, customer_id)

    async def find_transactions(
        self, scope: Scope, wanted: TransactionFilter, limit: int, cursor: str | None
    ) -> Page[Transaction]:
        return await self.database.read(queries.find, scope, wanted, limit, cursor)

    async def get_transaction(self, scope: Scope, transaction_id: str) -> Transaction:
        return await self.database.read(queries.transaction, scope, transaction_id)

    async def find_duplicates(self, scope: Scope, customer_id: str, window_days: int) -> Sequence[DuplicateCharge]:
        charges = await self.database.read(queries.charges_to_compare, scope, customer_id)
        return await asyncio.to_thread(find_duplicates, charges, window_days)  # seconds, for thousands of charges

    async def list_invoices(self, scope: Scope, customer_id: str, limit: int, cursor: str | None) -> Page[Invoice]:
        return await self.database.read(queries.list_invoices, scope, customer_id, limit, cursor)

    async def get_invoice(self, scope: Scope, invoice_id: str) -> InvoiceDetail:
        return await self.database.read(queries.invoice, scope, invoice_id)

    async def check_eligibility(
        self, scope: Scope, transaction_id: str, amount_minor: int | None = None, currency: str | None = None
    ) -> Eligibility:
        charge = await self.get_transaction(scope, transaction_id)
        return eligibility(charge, amount_minor, currency, self.settings.refund_max_age_days, refunding.now())

    async def issue_refund(
        self, scope: Scope, effect: Effect, transaction_id: str, amount_minor: int, currency: str, reason: str
    ) -> Refund:
        faults.point("before_reserve")
        rules = RefundRules(self.settings.refund_max_age_days, self.settings.refund_approval_above_minor)
        asked = (transaction_id, amount_minor, currency, reason, rules)
        refund_id = f"rf_{secrets.token_hex(10)}"
        reserving = (scope, effect, refund_id, self._external, *asked)
        # A key that another transaction recorded first, for another charge, is seen the second time, and said.
        refund_id = await self.database.write_unique(refunding.reserve, *reserving)
        faults.point("after_reserve")
        refund = await self.get_refund(scope, refund_id)
        if refund.status == "pending":
            await self._external.drive(refund_id)
            refund = await self.get_refund(scope, refund_id)
        return refund

    async def get_refund(self, scope: Scope, refund_id: str) -> Refund:
        return await self.database.read(queries.refund, scope, refund_id)
