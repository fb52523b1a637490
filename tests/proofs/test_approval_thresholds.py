"""Splitting does not help: however refunds are cut up, no more than the threshold goes through without an approval."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.approved import Charge, Replica, Tokens, add_charges, change, code, replica, rows, sound
from support.proofs import draw, share

ABOVE = 5_000


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
async def replicas(tokens: Tokens, tmp_path: Path, database_url: str) -> AsyncGenerator[tuple[Replica, Replica]]:
    del tokens  # its keys are there
    async with replica(tmp_path, database_url) as first, replica(tmp_path, database_url) as second:
        yield first, second


class Splitter:
    """A worker that tries amounts on charges, every time under a key of its own."""

    def __init__(self, replicas: tuple[Replica, Replica], token: str) -> None:
        self._replicas, self._token, self._calls = replicas, token, 0

    async def refund(self, charge: Charge, amount_minor: int) -> str:
        """The code of the answer."""
        self._calls += 1
        arguments: dict[str, Any] = {
            "transaction_id": charge.transaction_id,
            "amount_minor": amount_minor,
            "currency": charge.currency,
            "reason": "a small one",
        }
        where = self._replicas[self._calls % 2]
        return code(await where.call(self._token, "issue_refund", arguments, f"toolu_{self._calls}"))


async def test_the_refund_that_brings_a_charge_above_the_threshold_waits(
    replicas: tuple[Replica, Replica], tokens: Tokens
) -> None:
    charge = Charge("ch_1", "cust_1")
    await add_charges(replicas[0].database, [charge])
    splitter = Splitter(replicas, tokens.worker("run_1"))
    heard = [await splitter.refund(charge, 1_000) for _ in range(6)]
    assert heard == ["ok"] * 5 + ["approval_required"]
    assert await splitter.refund(charge, 1) == "approval_required"


async def test_the_sum_over_a_customers_charges_counts_in_each_currency_by_itself(
    replicas: tuple[Replica, Replica], tokens: Tokens
) -> None:
    dollars = [Charge(f"ch_{number}", "cust_1") for number in range(3)]
    euros, neighbour = Charge("ch_eur", "cust_1", currency="EUR"), Charge("ch_other", "cust_2")
    await add_charges(replicas[0].database, [*dollars, euros, neighbour])
    splitter = Splitter(replicas, tokens.worker("run_1"))
    assert [await splitter.refund(charge, 2_000) for charge in dollars] == ["ok", "ok", "approval_required"]
    assert await splitter.refund(euros, ABOVE) == "ok"
    assert await splitter.refund(neighbour, ABOVE) == "ok"
    assert await Splitter(replicas, tokens.worker("run_2")).refund(dollars[2], 2_000) == "approval_required"


async def test_the_next_day_starts_afresh_for_the_customer_but_not_for_the_charge(
    replicas: tuple[Replica, Replica], tokens: Tokens
) -> None:
    first, second = Charge("ch_1", "cust_1"), Charge("ch_2", "cust_1")
    await add_charges(replicas[0].database, [first, second])
    splitter = Splitter(replicas, tokens.worker("run_1"))
    assert await splitter.refund(first, ABOVE) == "ok"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="milliseconds")
    await change(replicas[0].database, "UPDATE refunds SET created_at = :yesterday", yesterday=yesterday)
    assert await splitter.refund(first, 1) == "approval_required"
    assert await splitter.refund(second, ABOVE) == "ok"


@pytest.mark.parametrize("decided", [True, False])
async def test_an_approval_that_is_not_needed_any_more_is_not_kept_for_another_refund(
    replicas: tuple[Replica, Replica], tokens: Tokens, decided: bool
) -> None:
    first, second = Charge("ch_1", "cust_1"), Charge("ch_2", "cust_1")
    database = replicas[0].database
    await add_charges(database, [first, second])
    splitter = Splitter(replicas, tokens.worker("run_1"))
    assert [await splitter.refund(first, 4_000), await splitter.refund(second, 2_000)] == ["ok", "approval_required"]
    ((approval_id,),) = await rows(database, "SELECT approval_id FROM approvals")
    approve = {"approval_id": approval_id, "decision": "approve"}
    if decided:
        assert code(await replicas[0].call(tokens.approver(), "decide_approval", approve)) == "ok"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="milliseconds")
    await change(database, "UPDATE refunds SET created_at = :yesterday", yesterday=yesterday)
    heard = [await splitter.refund(second, 2_000) for _ in range(3)]
    assert heard == ["ok", "ok", "approval_used" if decided else "approval_required"]
    assert code(await replicas[0].call(tokens.approver(), "decide_approval", approve)) == "approval_decided"


@pytest.mark.prove
async def test_concurrent_small_refunds_never_add_up_to_more(
    replicas: tuple[Replica, Replica], tokens: Tokens, database_url: str
) -> None:
    random = draw(f"splitting {database_url.split(':')[0]}")
    database, said = replicas[0].database, Counter[str]()
    for number in range(share(50)):
        customer = f"cust_{number}"
        currencies = ["USD", "USD", "USD", "EUR", "EUR"]
        charges = [Charge(f"ch_{number}_{n}", customer, currency=c) for n, c in enumerate(currencies)]
        await add_charges(database, charges)
        runs = [Splitter(replicas, tokens.worker(f"run_{number}_{n}", customer_id=customer)) for n in range(4)]
        largest = random.choice([50, 400, 2_500, ABOVE])  # from crumbs to ones that nearly fit by themselves
        shots = [(random.choice(charges), random.randint(1, largest)) for _ in range(40)]
        answers = await asyncio.gather(*(random.choice(runs).refund(*shot) for shot in shots))
        said.update(answers)
        assert set(answers) <= {"ok", "approval_required", "too_many_approvals", "refund_in_progress"}
        made = await rows(
            database,
            "SELECT transaction_id, currency, amount_minor FROM refunds WHERE customer_id = :customer",
            customer=customer,
        )
        sums, of_charges = Counter[str](), Counter[str]()
        for transaction_id, currency, amount_minor in made:
            sums[currency] += amount_minor
            of_charges[transaction_id] += amount_minor
        assert len(made) == answers.count("ok")
        assert max(sums.values()) <= ABOVE and max(of_charges.values()) <= ABOVE
        for (charge, amount_minor), answer in zip(shots, answers, strict=True):
            if answer in ("approval_required", "too_many_approvals"):
                assert sums[charge.currency] + amount_minor > ABOVE  # what was refused did not fit
    assert not await rows(database, "SELECT 1 FROM approvals WHERE state <> 'pending'")
    assert said["approval_required"] and said["ok"]
    await sound(database)
    print(f"{said.total()} refunds cut up: {dict(said)}")
