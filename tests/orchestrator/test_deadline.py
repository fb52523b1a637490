"""A deadline passes while something works on it, and stands still while everything waits."""

import asyncio

import pytest
from flotilla_orchestrator.sessions.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_time_passes_only_while_something_works(clock: Clock) -> None:
    deadline = Deadline(60, clock=clock)
    clock.now += 3600  # in the queue
    async with deadline.running():
        clock.now += 10
        assert deadline.remaining == 50
    clock.now += 3600  # for a person
    assert (deadline.remaining, deadline.used) == (50, 10)


async def test_what_it_is_part_of_works_with_it_and_what_is_beside_it_does_not(clock: Clock) -> None:
    run = Deadline(300, clock=clock)
    lead = Deadline(200, run, clock)
    working, waiting = Deadline(60, lead, clock), Deadline(60, lead, clock)
    async with working.running():
        clock.now += 40
    assert [each.remaining for each in (run, lead, working, waiting)] == [260, 160, 20, 60]


async def test_two_that_work_side_by_side_count_once_for_what_is_above(clock: Clock) -> None:
    lead = Deadline(100, clock=clock)
    first, second = Deadline(50, lead, clock), Deadline(50, lead, clock)
    async with first.running():
        clock.now += 5
        async with second.running():
            clock.now += 5
    clock.now += 5
    assert [each.used for each in (lead, first, second)] == [10, 10, 5]


async def test_what_other_processes_have_used_is_taken_up_once(clock: Clock) -> None:
    deadline = Deadline(60, clock=clock)
    async with deadline.running():
        clock.now += 10
        deadline.advance_to(25)
        deadline.advance_to(25)
        clock.now += 5
    assert deadline.used == 30
    deadline.advance_to(20)  # they know less than this process
    assert deadline.used == 30


async def test_work_ends_when_the_time_above_is_up() -> None:
    lead = Deadline(0.05)
    with pytest.raises(TimeoutError):
        async with Deadline(60, lead).running():
            await asyncio.Event().wait()
    assert lead.remaining == 0
