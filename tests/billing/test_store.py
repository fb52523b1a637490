"""The contract of every billing store, over the sample company."""

import asyncio
from pathlib import Path

from flotilla_billing import books
from flotilla_billing.models import Scope, TransactionStatus
from flotilla_billing.payments_import import PAYMENTS_IMPORT, SAMPLE
from flotilla_billing.refunding import RefundRefused
from flotilla_billing.schema import ledger_entries, transactions
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_billing.store import TransactionFilter
from flotilla_kit import imports
from flotilla_kit.effects import Effect, digest
from flotilla_kit.errors import IdempotencyMismatch, NotFound
from flotilla_kit.imports import Source
from pytest import mark, raises
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

ALL = Scope()
MAYA = Scope(customer_id="cust_12345")
KENJI = Scope(customer_id="cust_48230")
CHARGE = "ch_maya_feb_2"


def effect(key: str, amount_minor: int = 24500) -> Effect:
    return Effect("owner", "", "issue_refund", key, digest({"amount_minor": amount_minor}))


async def refund(store: SqlBillingStore, key: str, amount_minor: int = 24500, scope: Scope = ALL) -> str:
    issued = await store.issue_refund(scope, effect(key, amount_minor), CHARGE, amount_minor, "USD", "duplicate")
    assert issued.status == "succeeded"
    return issued.refund_id


async def test_paging_returns_each_charge_once_in_order(store: SqlBillingStore) -> None:
    seen: list[tuple[str, str]] = []
    cursor = None
    while True:
        page = await store.find_transactions(ALL, TransactionFilter(), 7, cursor)
        seen += [(charge.created_at, charge.transaction_id) for charge in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == len(set(seen)) == 130
    assert seen == sorted(seen, reverse=True)


async def test_filters_narrow_together(store: SqlBillingStore) -> None:
    wanted = TransactionFilter(customer_id="cust_12345", created_from="2026-02-03", created_to="2026-02-03")
    page = await store.find_transactions(ALL, wanted, 100, None)
    assert [charge.amount_minor for charge in page.items] == [4900, 4900, 24500, 24500]
    failed = await store.find_transactions(ALL, TransactionFilter(customer_id="cust_12345", status="failed"), 100, None)
    assert [charge.failure_reason for charge in failed.items] == ["insufficient_funds"]


async def test_amounts_keep_their_currency_decimals(store: SqlBillingStore) -> None:
    yen = await store.find_transactions(ALL, TransactionFilter(currency="JPY"), 1, None)
    dinar = await store.find_transactions(ALL, TransactionFilter(currency="KWD"), 1, None)
    assert (yen.items[0].amount_minor, yen.items[0].amount) == (36000, "36000 JPY")
    assert (dinar.items[0].amount_minor, dinar.items[0].amount) == (14750, "14.750 KWD")


async def test_refund_moves_the_balance_and_the_books(store: SqlBillingStore) -> None:
    refund_id = await refund(store, "one")
    charge = await store.get_transaction(ALL, CHARGE)
    assert (charge.refunded_minor, charge.reserved_minor, charge.refundable_minor) == (24500, 0, 0)
    assert (await store.get_refund(ALL, refund_id)).expected_arrival is not None
    assert await store.database.read(books.check) == []


async def test_same_key_and_arguments_answer_the_same_refund(store: SqlBillingStore) -> None:
    assert await refund(store, "one", 100) == await refund(store, "one", 100)
    assert (await store.get_transaction(ALL, CHARGE)).refunded_minor == 100


async def test_same_key_with_other_arguments_refunds_nothing(store: SqlBillingStore) -> None:
    await refund(store, "one", 100)
    with raises(IdempotencyMismatch):
        await refund(store, "one", 200)
    assert (await store.get_transaction(ALL, CHARGE)).refunded_minor == 100


async def test_same_key_on_another_charge_refunds_nothing(store: SqlBillingStore) -> None:
    await refund(store, "one", 100)
    other = Effect("owner", "", "issue_refund", "one", digest({"transaction_id": "ch_maya_feb_1"}))
    with raises(IdempotencyMismatch):
        await store.issue_refund(ALL, other, "ch_maya_feb_1", 100, "USD", "duplicate")
    assert (await store.get_transaction(ALL, "ch_maya_feb_1")).refunded_minor == 0


async def test_refund_above_the_balance_names_the_remainder(store: SqlBillingStore) -> None:
    await refund(store, "one", 24000)
    with raises(RefundRefused) as refused:
        await refund(store, "two", 501)
    assert refused.value.details["reasons"][0]["code"] == "above_remainder"
    assert "5.00 USD (500)" in refused.value.message
    assert await refund(store, "three", 500)


@mark.parametrize(
    ("transaction_id", "currency", "code"),
    [("ch_okafor_dup", "USD", "disputed"), (CHARGE, "EUR", "other_currency")],
)
async def test_refused_refund_says_why_and_does_nothing(
    store: SqlBillingStore, transaction_id: str, currency: str, code: str
) -> None:
    before = await store.get_transaction(ALL, transaction_id)
    with raises(RefundRefused) as refused:
        await store.issue_refund(ALL, effect("k", 100), transaction_id, 100, currency, "because")
    assert refused.value.details["reasons"][0]["code"] == code
    assert await store.get_transaction(ALL, transaction_id) == before


async def test_each_status_that_took_no_money_has_its_own_reason(store: SqlBillingStore) -> None:
    statuses: list[TransactionStatus] = ["failed", "pending", "uncaptured"]
    for status in statuses:
        page = await store.find_transactions(ALL, TransactionFilter(status=status), 1, None)
        eligibility = await store.check_eligibility(ALL, page.items[0].transaction_id)
        assert [reason.code for reason in eligibility.reasons] == [status]
        assert eligibility.refundable_minor == 0


async def test_records_of_another_customer_do_not_exist_in_scope(store: SqlBillingStore) -> None:
    refund_id = await refund(store, "one", 100, MAYA)
    for reading in (
        store.get_transaction(KENJI, CHARGE),
        store.get_invoice(KENJI, "in_maya_202602"),
        store.get_refund(KENJI, refund_id),
        store.get_customer(KENJI, "cust_12345"),
        store.find_duplicates(KENJI, "cust_12345", 3),
        store.list_invoices(KENJI, "cust_12345", 10, None),
        store.check_eligibility(KENJI, CHARGE),
        store.issue_refund(KENJI, effect("two", 100), CHARGE, 100, "USD", "not mine"),
    ):
        with raises(NotFound):
            await reading
    assert (await store.find_transactions(KENJI, TransactionFilter(customer_id="cust_12345"), 9, None)).items == []
    listed = await store.find_transactions(KENJI, TransactionFilter(), 100, None)
    assert {charge.customer_id for charge in listed.items} == {"cust_48230"}
    assert (await store.get_transaction(MAYA, CHARGE)).refunded_minor == 100


async def test_a_cursor_of_another_scope_leaks_nothing(store: SqlBillingStore) -> None:
    page = await store.find_transactions(ALL, TransactionFilter(), 1, None)
    continued = await store.find_transactions(KENJI, TransactionFilter(), 100, page.next_cursor)
    assert {charge.customer_id for charge in continued.items} == {"cust_48230"}


async def test_ledger_entries_refuse_change_and_deletion(store: SqlBillingStore) -> None:
    with raises(DBAPIError, match="append-only"):
        await store.database.write(lambda c: c.execute(update(ledger_entries).values(amount_minor=1)))
    with raises(DBAPIError, match="append-only"):
        await store.database.write(lambda c: c.execute(delete(ledger_entries)))


async def test_the_database_itself_refuses_more_than_was_captured(store: SqlBillingStore) -> None:
    with raises(DBAPIError):
        await store.database.write(lambda c: c.execute(update(transactions).values(refunded_minor=10**11)))


async def test_a_broken_ledger_is_found(store: SqlBillingStore) -> None:
    await store.database.write(
        lambda c: c.execute(
            text(
                "INSERT INTO ledger_entries (transfer_id, account, amount_minor, currency, transaction_id, recorded_at)"
                f" VALUES ('x', 'gateway', 5, 'USD', '{CHARGE}', 'now')"
            )
        )
    )
    assert {found.subject for found in await store.database.read(books.check)} == {"x", CHARGE}


async def test_a_charge_that_fails_late_and_then_succeeds_keeps_the_books(store: SqlBillingStore) -> None:
    header = "id,Created date (UTC),Amount,Currency,Captured,Status,Customer ID\n"
    for captured, status in (("true", "Paid"), ("false", "Failed")) * 3:
        row = f"ch_bank_debit,2026-02-03 09:00:00,49.00,usd,{captured},{status},cust_12345\n"
        await store.database.write(imports.load, PAYMENTS_IMPORT, Source(header + row))
        assert await store.database.read(books.check) == []
    assert (await store.get_transaction(ALL, "ch_bank_debit")).captured_minor == 0


async def test_an_import_never_takes_back_a_refund_made_here(store: SqlBillingStore) -> None:
    await refund(store, "one", 100)
    again = await store.database.write(imports.load, PAYMENTS_IMPORT, Source(SAMPLE))
    assert (again.added, again.changed) == (0, 0)
    assert (await store.get_transaction(ALL, CHARGE)).refunded_minor == 100


async def test_replicas_that_start_together_load_the_sample_once(database_url: str, tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path, "demo_data": True, "database_url": database_url})
    replicas = [SqlBillingStore(settings) for _ in range(4)]
    await asyncio.gather(*(replica.open() for replica in replicas))
    try:
        page = await replicas[0].find_transactions(ALL, TransactionFilter(customer_id="cust_12345"), 100, None)
        assert len(page.items) == 16
        assert await replicas[0].database.read(books.check) == []
    finally:
        await asyncio.gather(*(replica.close() for replica in replicas))


async def test_an_age_limit_refuses_old_charges(database_url: str, store: SqlBillingStore) -> None:
    strict = SqlBillingStore(
        store.settings.model_copy(update={"refund_max_age_days": 30, "demo_data": False}),
    )
    await strict.open()
    try:
        eligibility = await strict.check_eligibility(ALL, CHARGE)
    finally:
        await strict.close()
    assert [reason.code for reason in eligibility.reasons] == ["too_old"]
