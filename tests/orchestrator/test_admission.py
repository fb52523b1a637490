"""Queued runs begin as their sessions can: further ones wait in the queue, whoever has taken them."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.queued import Queued
from support.stage import answer

pytestmark = pytest.mark.cli_double

RUNS = 8
WAIT_S = 60


@pytest.fixture
def case(tmp_path: Path) -> Queued:
    """Its sessions of `look` take long."""
    case = Queued(tmp_path)
    script = {"name": "look", "agents": {"single": [{"turns": [{**answer("looked"), "delay_s": 300}]}]}}
    (case.configs / "rehearsals" / "look.yaml").write_text(yaml.safe_dump(script))
    return case


def test_runs_that_no_session_is_free_for_stay_queued(case: Queued) -> None:
    for _ in range(RUNS):
        case.order("look", "--input", "amount=1")
    worker = case.worker("--concurrency", "1")
    try:
        until(case, lambda states: Counter(states.values())["running"] >= 2)
        time.sleep(1)  # five looks at the queue
        assert Counter(case.states().values()) == {"running": 2, "queued": RUNS - 2}, (
            "one has the session, and the next one is ready for it"
        )
    finally:
        case.kill(worker)


def test_a_cancelled_run_ends_though_those_before_it_have_not_begun(case: Queued) -> None:
    runs = [case.order("look", "--input", "amount=1") for _ in range(4)]
    worker = case.worker("--concurrency", "1")
    try:
        until(case, lambda states: Counter(states.values())["running"] >= 2)
        case.answer("cancel", runs[-1])
        until(case, lambda states: states[runs[-1]] == "cancelled")
        assert case.states()[runs[-2]] == "queued"
    finally:
        case.kill(worker)


def until(case: Queued, wanted: Callable[[dict[str, str]], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not wanted(found := case.states()):
        assert time.monotonic() < ends, found
        time.sleep(0.2)
