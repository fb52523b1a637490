"""A run's ledger: what agents reserve and use, and what is left for the next, in whichever process."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from flotilla_kit.storage import Database
from flotilla_orchestrator.config.limits import Limits
from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.journal.allowances import Allowance, Reservation, Usage
from flotilla_orchestrator.journal.journal import MIGRATIONS, Journal, Run, span_id_for
from flotilla_orchestrator.journal.ledger import Ledger

NO_LIMITS = Limits()
RUN = Limits(max_turns=10, budget_usd=1.0, wall_clock_s=60)


class Book:
    """The ledger of one run as one process sees it."""

    def __init__(self, database: Database) -> None:
        self.ledger = Ledger(database)

    async def reserve(self, *wanted: tuple[str, Limits]) -> list[Allowance | Failure]:
        return await self.ledger.reserve("run_1", RUN, [Reservation(name, "worker", own) for name, own in wanted])

    async def share(self, name: str, own: Limits = NO_LIMITS) -> Allowance:
        (found,) = await self.reserve((name, own))
        if isinstance(found, Failure):
            raise found
        return found

    async def settle(self, name: str, turns: int, cost_usd: float | None) -> None:
        await self.ledger.record_usage(name, Usage(turns, 100 * turns, 10 * turns, cost_usd))
        await self.ledger.settle(name)


@pytest.fixture
async def book(database_url: str) -> AsyncGenerator[Book]:
    database = await Database.open(database_url, [MIGRATIONS])
    journal = Journal(database)
    try:
        await journal.begin_run(Run("run_1", "case", "rehearsal", "Do it.", {}))
        yield Book(database)
    finally:
        await journal.delete_run("run_1")
        await database.close()


async def test_a_session_gets_its_own_limits_while_the_run_has_enough(book: Book) -> None:
    own = Limits(max_turns=4, budget_usd=0.25, wall_clock_s=30)
    assert await book.share("one", own) == Allowance(4, 0.25, 30)


async def test_a_session_gets_no_more_than_the_run_has_left(book: Book) -> None:
    await book.share("one")
    await book.settle("one", turns=7, cost_usd=0.75)
    await book.ledger.record_time({span_id_for("run_1"): 50})
    second = await book.share("two", Limits(max_turns=12, budget_usd=5, wall_clock_s=300))
    assert second == Allowance(3, 0.25, 10)


async def test_parallel_sessions_cannot_reserve_the_same_turns_twice(book: Book) -> None:
    own = Limits(max_turns=6, budget_usd=0.5)
    await book.share("one", own)
    assert (await book.share("two", own)).max_turns == 4
    with pytest.raises(Failure, match="no turns left") as caught:
        await book.share("three", own)
    assert caught.value.code == "run_budget_exceeded"


async def test_sessions_that_start_together_share_what_is_left_evenly(book: Book) -> None:
    assert await book.reserve(("one", NO_LIMITS), ("two", NO_LIMITS)) == 2 * [Allowance(5, 0.5, 60)]


async def test_a_session_that_reserves_again_gets_the_same(book: Book) -> None:
    """A workflow that is taken up again says it again."""
    first = await book.share("one", Limits(max_turns=4))
    await book.ledger.record_usage("one", Usage(3, 300, 30, 0.5))
    assert await book.reserve(("one", Limits(max_turns=9)), ("one", NO_LIMITS)) == [first, first]


async def test_processes_that_reserve_at_once_overdraw_nothing(book: Book, database_url: str) -> None:
    others = [await Database.open(database_url, [MIGRATIONS]) for _ in range(3)]
    try:
        own = Limits(max_turns=4, budget_usd=0.4)
        asked = [Book(other).reserve((f"{n}", own)) for n, other in enumerate(others * 2)]
        found = [share for shares in await asyncio.gather(*asked) for share in shares]
    finally:
        for other in others:
            await other.close()
    granted = [share for share in found if isinstance(share, Allowance)]
    assert sum(share.max_turns for share in granted) == RUN.max_turns
    assert sum(share.budget_usd for share in granted) == pytest.approx(1)


async def test_what_a_session_did_not_use_comes_back(book: Book) -> None:
    await book.share("one")
    await book.settle("one", turns=1, cost_usd=0.25)
    second = await book.share("two")
    assert (second.max_turns, second.budget_usd) == (9, 0.75)


async def test_a_cost_that_could_not_be_told_counts_as_all_that_was_reserved(book: Book) -> None:
    await book.share("one", Limits(budget_usd=0.75, max_turns=2))
    await book.settle("one", turns=1, cost_usd=None)
    assert (await book.share("two")).budget_usd == 0.25


async def test_a_session_that_breaks_off_counts_as_all_its_dollars(book: Book) -> None:
    await book.share("one", Limits(budget_usd=0.75, max_turns=2))
    await book.ledger.record_usage("one", Usage(1, 100, 10, 0.1))  # and nothing settles it
    assert (await book.share("two")).budget_usd == 0.25


async def test_a_session_that_overshot_is_charged_for_it(book: Book) -> None:
    await book.share("one", Limits(budget_usd=0.5))
    await book.settle("one", turns=2, cost_usd=1.25)
    with pytest.raises(Failure, match="no dollars left"):
        await book.share("two")


async def test_a_run_past_its_wall_clock_starts_no_session(book: Book) -> None:
    await book.share("one", Limits(max_turns=1, budget_usd=0.1))
    await book.ledger.record_time({span_id_for("run_1"): 61})
    with pytest.raises(Failure, match="no time left"):
        await book.share("two")


async def test_the_time_of_all_processes_is_the_longest_that_any_has_counted(book: Book) -> None:
    await book.share("one")
    assert await book.ledger.record_time({"one": 5, span_id_for("run_1"): 7}) == {"one": 5, span_id_for("run_1"): 7}
    assert await book.ledger.record_time({"one": 4, span_id_for("run_1"): 9}) == {"one": 5, span_id_for("run_1"): 9}


async def test_what_has_ended_is_forgotten_with_its_run(book: Book, database_url: str) -> None:
    await book.share("one")
    database = await Database.open(database_url, [MIGRATIONS])
    try:
        await Journal(database).delete_run("run_1")
        assert await Ledger(database).entries("run_1") == []
    finally:
        await database.close()


def test_an_agent_over_its_limit_says_by_how_much() -> None:
    allowed = Allowance(4, 0.25, 30)
    with pytest.raises(Failure) as caught:
        allowed.remaining(3, 0.26)
    assert caught.value.code == "budget_exceeded"
    assert caught.value.details == {"used": 0.26, "limit": 0.25, "over": 0.01}
    assert allowed.exceeded("turns_exceeded", 4, 0.1).details == {"used": 4, "limit": 4, "over": 0}
    assert allowed.remaining(3, 0.2) == (1, pytest.approx(0.05))
