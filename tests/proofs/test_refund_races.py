"""A thousand callers at once: one key is one refund, and a charge never gives back more than it took."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from flotilla_billing import books
from flotilla_billing.models import Refund, Scope
from flotilla_billing.refunding import RefundInProgress, RefundRefused
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit.effects import Effect, digest
from support.proofs import share

CHARGE = "ch_maya_feb_2"
CAPTURED = 24_500


@pytest.fixture
async def replicas(database_url: str, tmp_path: Path) -> AsyncGenerator[tuple[SqlBillingStore, SqlBillingStore]]:
    """Two stores over one database, as two processes have."""
    settings = Settings.load({"home": tmp_path, "demo_data": True, "database_url": database_url})
    settings = settings.model_copy(
        update={"refund_approval_above_minor": CAPTURED}
    )  # approvals have a proof of their own
    first, second = SqlBillingStore(settings), SqlBillingStore(settings)
    await first.open()
    await second.open()
    yield first, second
    await first.close()
    await second.close()


async def refund(store: SqlBillingStore, key: str, amount_minor: int) -> Refund:
    effect = Effect("owner", "", "issue_refund", key, digest({"amount_minor": amount_minor}))
    return await store.issue_refund(Scope(), effect, CHARGE, amount_minor, "USD", "race")


async def settle(store: SqlBillingStore, key: str, answer: Refund) -> None:
    """One whose answer came late is `pending`: asking again finds out what became of it."""
    async with asyncio.timeout(60):
        while answer.status == "pending":
            answer = await refund(store, key, answer.amount_minor)


@pytest.mark.prove
async def test_identical_refunds_by_one_key_are_one_refund(replicas: tuple[SqlBillingStore, SqlBillingStore]) -> None:
    callers = share(1000)
    answers = await asyncio.gather(*(refund(replicas[n % 2], "one", 100) for n in range(callers)))
    assert len({answer.refund_id for answer in answers}) == 1
    assert {answer.status for answer in answers} <= {"pending", "succeeded"}
    charge = await replicas[0].get_transaction(Scope(), CHARGE)
    assert (charge.refunded_minor, charge.reserved_minor) == (100, 0)
    assert await replicas[0].database.read(books.check) == []


@pytest.mark.prove
async def test_different_refunds_never_exceed_what_was_captured(
    replicas: tuple[SqlBillingStore, SqlBillingStore],
) -> None:
    callers = share(1000)
    smallest = CAPTURED * 3 // callers // 2  # together more than half as much again as was captured
    amounts = [smallest + n for n in range(callers)]  # each its own: two of one amount may not be under way together
    answers = await asyncio.gather(
        *(refund(replicas[n % 2], f"key-{n}", amount) for n, amount in enumerate(amounts)), return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, Refund)]
    refused = [answer for answer in answers if isinstance(answer, RefundRefused)]
    assert len(done) + len(refused) == callers, [a for a in answers if a not in done and a not in refused][:3]
    charge = await replicas[0].get_transaction(Scope(), CHARGE)
    promised = sum(answer.amount_minor for answer in done)
    assert charge.refunded_minor + charge.reserved_minor == promised <= CAPTURED
    for n, answer in enumerate(answers):
        if isinstance(answer, Refund):
            await settle(replicas[0], f"key-{n}", answer)
    charge = await replicas[0].get_transaction(Scope(), CHARGE)
    assert (charge.refunded_minor, charge.reserved_minor) == (promised, 0)
    unpaid = set(amounts) - {answer.amount_minor for answer in done}
    assert min(unpaid) > CAPTURED - charge.refunded_minor  # what was refused did not fit
    assert await replicas[0].database.read(books.check) == []


@pytest.mark.prove
async def test_equal_refunds_under_different_keys_are_never_under_way_together(
    replicas: tuple[SqlBillingStore, SqlBillingStore],
) -> None:
    callers = share(200)
    answers = await asyncio.gather(
        *(refund(replicas[n % 2], f"key-{n}", 100) for n in range(callers)), return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, Refund)]
    refused = [answer for answer in answers if isinstance(answer, RefundInProgress)]
    assert done and refused and len(done) + len(refused) == callers
    assert (await replicas[0].get_transaction(Scope(), CHARGE)).refunded_minor == 100 * len(done)
    assert await replicas[0].database.read(books.check) == []
