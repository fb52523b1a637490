"""Whatever is tried with approvals, each is used once at most, for exactly what was approved, by exactly who asked."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flotilla_kit.storage import Database
from support.approval_case import NEW, SPENT, Case
from support.approved import Charge, Replica, Tokens, add_charges, change, code, refunds_of, replica, rows, sound
from support.proofs import draw, share

USES = 10_000
ABOVE = 5_000  # minor units that go without an approval


class Desk:
    """Two servers over one database; the second can be restarted."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.tokens, self.replicas, self.said = Tokens(home), list[Replica](), Counter[str]()
        self._open = partial(replica, home, database_url)
        self._second = AsyncExitStack()
        self._ended = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Desk"]:
        async with self._open() as first, self._second:
            self.replicas += [first, await self._second.enter_async_context(self._open())]
            yield self

    async def restart(self) -> None:
        self._ended += self.replicas[1].calls
        await self._second.aclose()
        self.replicas[1] = await self._second.enter_async_context(self._open())

    @property
    def database(self) -> Database:
        return self.replicas[0].database

    @property
    def calls(self) -> int:
        return self._ended + sum(running.calls for running in self.replicas)

    async def case(self, number: int, random: Random) -> Case:
        """A case with charges of its own."""
        customer = f"cust_{number}"
        charges = Charge(f"ch_{number}", customer), Charge(f"ch_{number}b", customer), Charge(f"ch_{number}x", "cust_x")
        await add_charges(self.database, charges)
        return Case(random, self.tokens, self.replicas, *charges, self.said, number)


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncGenerator[Desk]:
    async with Desk(tmp_path, database_url).running() as opened:
        yield opened


async def approved(desk: Desk, case: Case) -> None:
    """Asked for, abused while it waits, approved by one of many who decide at once, abused again."""
    await case.ask()
    await case.abuse()
    assert (await case.use(["approval_required"]))["details"]["approval_id"] == case.approval_id
    deciders = [case.tokens.approver(name) for name in ("ada", "grace") * case.random.choice([1, 3])]
    answers = await asyncio.gather(*(case.decide(["ok", "approval_decided"], token=token) for token in deciders))
    assert [code(answer) for answer in answers].count("ok") == 1
    case.state = "approved"
    await case.abuse()


async def used(desk: Desk, case: Case) -> None:
    await approved(desk, case)
    if case.random.random() < 0.2:
        await desk.restart()
    await case.use(["ok"], anew=case.random.random() < 0.5)
    case.state = "used"
    await replayed(desk, case)


async def raced(desk: Desk, case: Case) -> None:
    await approved(desk, case)
    case.state = "racing"
    racers = [case.use({"ok", *SPENT}, anew=True) for _ in range(8)]
    abuse = asyncio.create_task(case.abuse())
    answers = await asyncio.gather(*racers)
    await abuse
    assert [code(answer) for answer in answers].count("ok") == 1
    case.state = "used"
    await replayed(desk, case)


async def replayed(desk: Desk, case: Case) -> None:
    await case.replay()
    await case.abuse()
    if case.random.random() < 0.2:
        await desk.restart()
        await case.replay()
    if case.random.random() < 0.3 and await case.ask_again():
        await case.use(["approval_required"])
        await case.decide(["ok"])
        await case.use(["ok"])
        case.state = "used"
        await case.replay()


async def rejected(desk: Desk, case: Case) -> None:
    await case.ask()
    await case.decide(["ok"], "reject")
    await refused_for_good(case)


async def withdrawn(desk: Desk, case: Case) -> None:
    await approved(desk, case)
    await case.decide(["ok"], "reject")
    await refused_for_good(case)


async def refused_for_good(case: Case) -> None:
    case.state = "rejected"
    await asyncio.gather(*(case.use(["approval_rejected"], anew=True) for _ in range(3)), case.abuse())
    await case.use(["approval_rejected"])


async def used_or_withdrawn(desk: Desk, case: Case) -> None:
    """Both at once: one of the two happens."""
    await approved(desk, case)
    use, withdrawal = await asyncio.gather(
        case.use(["ok", "approval_rejected"]), case.decide(["ok", "approval_decided"], "reject")
    )
    assert {code(use), code(withdrawal)} in ({"ok", "approval_decided"}, {"approval_rejected", "ok"})
    if code(use) == "ok":
        case.state = "used"
        await replayed(desk, case)
    else:
        await refused_for_good(case)


async def expired(desk: Desk, case: Case) -> None:
    """Before it was approved, or after, unused."""
    if case.random.random() < 0.5:
        await case.ask()
    else:
        await approved(desk, case)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds")
    await change(
        desk.database, "UPDATE approvals SET expires_at = :past WHERE approval_id = :id", past=past, id=case.approval_id
    )
    case.state = "expired"
    await case.abuse()
    answer = await case.use(["approval_expired"], anew=True)
    assert answer["details"]["approval_id"] == case.approval_id
    answer = await case.use({*NEW})
    assert answer["details"].get("approval_id") != case.approval_id


ENDS = (used, used, raced, raced, rejected, withdrawn, used_or_withdrawn, expired)


@pytest.mark.prove
async def test_of_ten_thousand_uses_each_approval_has_one_effect(desk: Desk, database_url: str) -> None:
    random = draw(f"approval uses {database_url.split(':')[0]}")
    cases = list[Case]()
    while desk.said.total() < share(USES):
        cases.append(await desk.case(len(cases), random))
        await ENDS[len(cases) % len(ENDS)](desk, cases[-1])
    consumed = await rows(desk.database, "SELECT arguments FROM approvals WHERE state = 'consumed' ORDER BY number")
    effects = await rows(desk.database, "SELECT outcome FROM effects")
    refunds = [found for case in cases for found in await refunds_of(desk.database, case.charge.transaction_id)]
    assert sorted(refund[0] for refund in refunds) == sorted(refund for case in cases for refund in case.refunds)
    assert sorted(json.loads(row.outcome)["refund_id"] for row in effects) == sorted(refund[0] for refund in refunds)
    given = [json.loads(row.arguments) for row in consumed]
    made = await rows(desk.database, "SELECT transaction_id, amount_minor, currency, reason FROM refunds")
    assert sorted(tuple(one[name] for name in CHANGEABLE) for one in given) == sorted(tuple(row) for row in made)
    assert {status for _, _, status in refunds} == {"succeeded"}
    calls = desk.calls
    await desk.restart()  # its audit is written; the other's is so within its interval
    async with asyncio.timeout(20):
        while (await rows(desk.database, "SELECT count(*) FROM audit"))[0][0] < calls:  # noqa: ASYNC110  the committer's
            await asyncio.sleep(0.05)
    assert (await rows(desk.database, "SELECT count(*) FROM audit"))[0][0] == calls
    await sound(desk.database)
    print(f"{desk.said.total()} uses of {len(cases)} cases, {len(consumed)} effects: {dict(desk.said.most_common())}")


CHANGEABLE = ("transaction_id", "amount_minor", "currency", "reason")


@pytest.mark.prove
@pytest.mark.parametrize("keys", ["tool_use_ids", "idempotency_keys", "none", "one"])
async def test_of_a_hundred_racing_consumers_one_has_the_effect(desk: Desk, keys: str) -> None:
    case = await desk.case(1, draw(f"race {keys}"))
    await case.ask()
    await case.decide(["ok"])

    async def race(number: int) -> dict[str, Any]:
        key = (
            {"idempotency_key": f"key-{0 if keys == 'one' else number}"} if keys in ("idempotency_keys", "one") else {}
        )
        use = f"toolu_{number}" if keys == "tool_use_ids" else None
        return await desk.replicas[number % 2].call(case.clerk, "issue_refund", {**case.arguments, **key}, use)

    answers = await asyncio.gather(*(race(number) for number in range(100)))
    ((refund_id, amount_minor, _),) = await refunds_of(desk.database, case.charge.transaction_id)
    assert amount_minor == case.arguments["amount_minor"]
    assert {answer["refund_id"] for answer in answers if code(answer) == "ok"} == {refund_id}
    heard = Counter(code(answer) for answer in answers)
    assert heard["ok"] == (100 if keys == "one" else 1) and heard.total() == 100
    assert set(heard) <= {"ok", *SPENT}
    await sound(desk.database)
