"""A run's ledger: what sessions reserve and use, and what is left for the next."""

import pytest
from flotilla_orchestrator.budget import Budget
from flotilla_orchestrator.config import Limits
from flotilla_orchestrator.errors import Failure

NO_LIMITS = Limits()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> Budget:
    return Budget(Limits(max_turns=10, budget_usd=1.0, wall_clock_s=60), clock)


def test_a_session_gets_its_own_limits_while_the_run_has_enough(budget: Budget) -> None:
    with budget.reserve(Limits(max_turns=4, budget_usd=0.25, wall_clock_s=30)) as allowance:
        assert (allowance.max_turns, allowance.budget_usd, allowance.wall_clock_s) == (4, 0.25, 30)


def test_a_session_gets_no_more_than_the_run_has_left(budget: Budget, clock: Clock) -> None:
    with budget.reserve(NO_LIMITS) as first:
        first.settle(turns=7, cost_usd=0.75)
    clock.now += 50
    with budget.reserve(Limits(max_turns=12, budget_usd=5, wall_clock_s=300)) as second:
        assert (second.max_turns, second.budget_usd, second.wall_clock_s) == (3, 0.25, 10)


def test_parallel_sessions_cannot_reserve_the_same_turns_twice(budget: Budget) -> None:
    own = Limits(max_turns=6, budget_usd=0.5)
    with budget.reserve(own), budget.reserve(own) as second:
        assert second.max_turns == 4
        with pytest.raises(Failure) as caught, budget.reserve(own):
            pass
    assert caught.value.code == "run_budget_exceeded"
    assert "turns" in caught.value.message


def test_sessions_that_start_together_share_what_is_left_evenly(budget: Budget) -> None:
    with budget.reserve(NO_LIMITS, among=2) as first, budget.reserve(NO_LIMITS, among=1) as second:
        assert first.max_turns == second.max_turns == 5
        assert first.budget_usd == second.budget_usd == 0.5


def test_time_passes_for_a_session_that_waits_for_its_turn(budget: Budget, clock: Clock) -> None:
    with budget.reserve(Limits(wall_clock_s=30)) as allowance:
        clock.now += 45
        assert allowance.wall_clock_s == 15


def test_what_a_session_did_not_use_comes_back(budget: Budget) -> None:
    with budget.reserve(NO_LIMITS) as first:
        first.settle(turns=1, cost_usd=0.25)
    with budget.reserve(NO_LIMITS) as second:
        assert (second.max_turns, second.budget_usd) == (9, 0.75)


def test_a_cost_that_could_not_be_told_counts_as_all_that_was_reserved(budget: Budget) -> None:
    with budget.reserve(Limits(budget_usd=0.75, max_turns=2)) as first:
        first.settle(turns=1, cost_usd=None)
    with budget.reserve(NO_LIMITS) as second:
        assert second.budget_usd == 0.25


def test_a_session_that_breaks_off_counts_as_all_its_dollars(budget: Budget) -> None:
    with pytest.raises(OSError), budget.reserve(Limits(budget_usd=0.75, max_turns=2)):
        raise OSError
    with budget.reserve(NO_LIMITS) as second:
        assert second.budget_usd == 0.25


def test_a_session_that_overshot_is_charged_for_it(budget: Budget) -> None:
    with budget.reserve(Limits(budget_usd=0.5)) as first:
        first.settle(turns=2, cost_usd=1.25)
    with pytest.raises(Failure, match="dollars") as caught, budget.reserve(NO_LIMITS):
        pass
    assert caught.value.code == "run_budget_exceeded"


def test_a_run_past_its_wall_clock_starts_no_session(budget: Budget, clock: Clock) -> None:
    clock.now += 61
    with pytest.raises(Failure, match="no time left"), budget.reserve(NO_LIMITS):
        pass
