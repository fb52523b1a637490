"""The embedded backend: SQLite or PostgreSQL by one code path, and a payment gateway behind it."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

from flotilla_kit.effects import Effect, faults
from flotilla_kit.paging import Page
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from flotilla_kit.storage.addresses import store_url
from sqlalchemy.exc import IntegrityError

from . import queries, refunding
from .duplicates import find_duplicates
from .gateway import KEYS_KEPT, GatewayRequest, LedgerGateway, OutcomeUnknown, PaymentGateway
from .models import CustomerBilling, DuplicateCharge, Eligibility, Invoice, InvoiceDetail, Refund, Scope, Transaction
from .payments_import import SAMPLE, load_sample
from .refunding import RefundRules
from .refunds import eligibility
from .settings import Settings
from .store import TransactionFilter

MIGRATIONS = Migrations("billing", Path(__file__).parent / "migrations")
LOOK_S = 0.25  # one query by an index; with the lease this is how long a dead process's refund waits for another
OUTAGE_S = 1.0
logger = logging.getLogger(__name__)


class SqlBillingStore:
    """A `BillingStore` over the embedded database."""

    def __init__(self, settings: Settings, gateway: PaymentGateway | None = None) -> None:
        self.settings = settings
        self._gateway = gateway or LedgerGateway()
        self._owner = secrets.token_hex(8)
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._reconciler: asyncio.Task[None] | None = None

    async def open(self) -> None:
        settings = self.settings
        self.database = await Database.open(
            store_url(settings), [KIT_MIGRATIONS, MIGRATIONS], read_only=settings.read_only
        )
        if settings.demo_data and not settings.read_only and await self.database.read(queries.is_empty):
            await self.database.write(load_sample, SAMPLE)
        if not settings.read_only:
            self._reconciler = asyncio.create_task(self._reconcile())

    async def close(self) -> None:
        if self._reconciler:
            self._reconciler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reconciler
        await asyncio.gather(*self._driving.values(), return_exceptions=True)
        await self.database.close()

    async def ping(self) -> None:
        await self.database.read(queries.is_empty)

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
        try:
            refund_id = await self.database.write(refunding.reserve, scope, effect, refund_id, self._owner, *asked)
        except IntegrityError:
            # Another transaction recorded this key for another charge first; a new one can see it, and says so.
            refund_id = await self.database.write(refunding.reserve, scope, effect, refund_id, self._owner, *asked)
        faults.point("after_reserve")
        refund = await self.get_refund(scope, refund_id)
        if refund.status == "pending":
            await self._drive(refund_id)
            refund = await self.get_refund(scope, refund_id)
        return refund

    async def get_refund(self, scope: Scope, refund_id: str) -> Refund:
        return await self.database.read(queries.refund, scope, refund_id)

    async def _drive(self, refund_id: str) -> None:
        """Take a refund as far as it goes; callers in this process share one attempt, and none can cancel it."""
        task = self._driving.get(refund_id)
        if task is None:
            task = self._driving[refund_id] = asyncio.create_task(self._attempt(refund_id))
            task.add_done_callback(lambda _: self._driving.pop(refund_id, None))
        await asyncio.shield(task)

    async def _attempt(self, refund_id: str) -> None:
        request = await self.database.write(refunding.lease, refund_id, self._owner)
        if request is None:
            return
        try:
            await self._send_and_settle(request)
        except OutcomeUnknown:
            logger.warning("refund outcome unknown", extra={"refund_id": refund_id})
        except Exception:
            # A fault of ours says nothing about what the gateway did, and must not keep other refunds waiting.
            logger.exception("refund attempt failed; its outcome is unknown", extra={"refund_id": refund_id})

    async def _send_and_settle(self, request: GatewayRequest) -> None:
        faults.point("before_send")
        keys_kept = refunding.now() - request.reserved_at < KEYS_KEPT
        answer = None if keys_kept else await self._gateway.find_refund(request)
        if answer is None:
            answer = await self._gateway.refund(request)
        faults.point("after_send")
        await self.database.write(refunding.settle, request.key, answer)
        faults.point("after_settle")

    async def _reconcile(self) -> None:
        """Drive on what another process, or an unknown outcome, left unsettled."""
        while True:
            pause_s = LOOK_S
            try:
                for refund_id in await self.database.read(refunding.overdue):
                    await self._drive(refund_id)
            except Exception:
                logger.exception("reconciliation failed; trying again")
                pause_s = OUTAGE_S
            await asyncio.sleep(pause_s)
