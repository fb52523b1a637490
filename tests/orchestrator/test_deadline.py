"""A deadline runs while machines work and stands still while a person thinks."""

import asyncio

import pytest
from flotilla_orchestrator.deadline import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_time_does_not_pass_while_it_is_paused(clock: Clock) -> None:
    deadline = Deadline(60, clock=clock)
    clock.now += 10
    with deadline.paused():
        clock.now += 3600
        assert deadline.left == 50
    clock.now += 1
    assert deadline.left == 49


def test_what_it_is_part_of_is_paused_with_it_but_not_what_is_beside_it(clock: Clock) -> None:
    run = Deadline(300, clock=clock)
    lead = Deadline(200, run, clock)
    waiting, working = Deadline(60, lead, clock), Deadline(60, lead, clock)
    with waiting.paused():
        clock.now += 40
    assert [each.left for each in (run, lead, waiting, working)] == [300, 200, 60, 20]


def test_of_two_pauses_that_overlap_the_last_to_end_counts(clock: Clock) -> None:
    lead = Deadline(100, clock=clock)
    with Deadline(10, lead, clock).paused():
        clock.now += 5
        with Deadline(10, lead, clock).paused():
            clock.now += 5
        clock.now += 5
    assert lead.left == 100


async def test_a_block_is_not_ended_while_paused_and_is_after_it() -> None:
    above = Deadline(0.05)
    deadline = Deadline(0.05, above)
    ended = asyncio.Event()

    async def block() -> None:
        try:
            async with above.enforced():
                await asyncio.Event().wait()
        except TimeoutError:
            ended.set()

    working = asyncio.create_task(block())
    await asyncio.sleep(0)  # it begins
    with deadline.paused():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.2)
        assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), 5)
    await working


async def test_a_block_that_begins_while_paused_waits_for_the_pause_to_end() -> None:
    deadline = Deadline(0)
    with pytest.raises(TimeoutError):
        async with deadline.enforced():
            await asyncio.Event().wait()
    with deadline.paused():
        async with deadline.enforced():
            pass
