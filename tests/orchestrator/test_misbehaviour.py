"""However the model misbehaves, a run comes to a clear end within its time, and nothing of it is left.

What single sessions make of it is in test_session_ends.py; of unknown workers and too many tasks in test_delegation.py.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.sessions import claude_processes
from support.stage import Played, Stage, answer, call, delegate
from support.teller import CHARGE, REFUND, Person, refund, refunds_in

pytestmark = pytest.mark.cli_double

DELEGATE = "mcp__gate__delegate"
REFUSED = "{{ 'one_at_a_time' in errors.second }}"


def both(*turns: dict[str, Any]) -> dict[str, Any]:
    """One turn that makes the calls of all."""
    return {"calls": list(turns)}


def ended(played: Played) -> Played:
    """Everything of it is over."""
    assert all(span.ended_at for span in played.spans), played.spans
    assert {span.status for span in played.spans} <= {"ok", "failed", "denied", "interrupted"}
    assert played.run.ended_at
    assert claude_processes(os.getpid()) == []
    return played


@pytest.fixture(autouse=True)
def time_enough(stage: Stage) -> None:
    stage.fleet["limits"] |= {"session": {"wall_clock_s": 120}, "run": {"wall_clock_s": 300}}


def led(stage: Stage) -> Stage:
    stage.worker("lead", delegates=["helper"], attempts=1)
    stage.worker("helper", "get_ticket")
    return stage


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "person")


@pytest.mark.real_cli
async def test_two_delegations_in_a_turn_are_done_one_after_the_other(stage: Stage) -> None:
    stage.fleet["limits"]["session_wait_s"] = 0  # it ends in front of the first
    led(stage)
    first, second = delegate(("helper", "one"), id="first"), delegate(("helper", "two"), id="second")
    again = "{{ results.again.reports | map(attribute='report') | join }}"
    lead = [both(first, second), {**second, "id": "again"}, answer(f"{REFUSED} {again}")]
    played = ended(await stage.play({"lead": lead, "helper": [{"say": "did {{ task }}"}]}))
    assert played.run.output == {"answer": "True did two"}
    assert [span.status for span in played.spans if span.kind == "delegate"] == ["ok", "denied", "ok"]


async def test_a_delegation_beside_a_call_that_waits_for_a_person(stage: Stage, person: Person) -> None:
    stage.fleet["limits"]["session_wait_s"] = 0  # it ends in front of the first
    stage.fleet["servers"]["billing"] = {"command": person.command}
    led(stage)
    stage.worker("lead", tools=[REFUND], delegates=["helper"], attempts=1)
    lead = [
        both({**refund(), "id": "first"}, delegate(("helper", "look"), id="second")),
        answer(f"{{{{ results.first.status }}}} {REFUSED}"),
    ]
    played = ended(await stage.play({"lead": lead, "helper": [{"say": "never asked"}]}, ask=person))
    assert played.run.output == {"answer": "succeeded True"}
    assert refunds_in(stage.home / "billing.db") == [(CHARGE, 24500)]


async def test_two_calls_that_wait_for_a_person_are_made_one_after_the_other(stage: Stage, person: Person) -> None:
    stage.fleet["limits"]["session_wait_s"] = 0  # it ends in front of the first
    stage.fleet["servers"] = {"billing": {"command": person.command}}
    stage.worker("lead", tools=[REFUND], attempts=1)
    other = refund(24500, "ch_maya_feb_1")
    lead = [
        both({**refund(), "id": "first"}, {**other, "id": "second"}),
        answer(f"{{{{ results.first.status }}}} {REFUSED}"),
    ]
    played = ended(await stage.play({"lead": lead}, ask=person))
    assert played.run.output == {"answer": "succeeded True"}
    assert len(person.asked) == 1
    assert refunds_in(stage.home / "billing.db") == [(CHARGE, 24500)]


async def test_nobody_delegates_to_itself_or_to_who_leads_it(stage: Stage) -> None:
    stage.worker("lead", delegates=["middle"], attempts=1)
    stage.worker("middle", delegates=["helper"], attempts=1)
    stage.worker("helper")
    middle = [
        delegate(("lead", "yours"), id="up"),
        delegate(("middle", "mine"), id="own"),
        {"say": "{{ errors.up.code }} {{ errors.own.code }} {{ errors.own.details.workers | join }}"},
    ]
    lead = [delegate(("middle", "it")), answer("{{ results.delegate.reports[0].report }}")]
    played = ended(await stage.play({"lead": lead, "middle": middle, "helper": [{"say": "never asked"}]}))
    assert played.run.output == {"answer": "unknown_worker unknown_worker helper"}


async def test_a_delegation_of_the_wrong_shape_is_refused_and_the_lead_goes_on(stage: Stage) -> None:
    led(stage)
    shapes: list[dict[str, Any]] = [
        {"tasks": "look at it"},
        {"tasks": [{"worker": "helper"}]},
        {"tasks": [{"worker": 7, "task": ["look"]}]},
        {"tasks": []},
        {"worker": "helper", "task": "look"},
    ]
    wrong = [{"call": DELEGATE, "id": f"wrong_{n}", "arguments": shape} for n, shape in enumerate(shapes)]
    played = ended(await stage.play({"lead": [*wrong, answer("{{ errors | join(' ') }}")], "helper": [{"say": "no"}]}))
    assert played.run.output == {"answer": "wrong_0 wrong_1 wrong_2 wrong_3 wrong_4"}
    assert {request.agent for request in played.requests} == {"lead"}


async def test_a_delegation_that_is_not_json_is_refused_and_the_lead_goes_on(stage: Stage) -> None:
    led(stage)
    lead = [{**delegate(("helper", "look")), "misbehave": "bad_arguments"}, answer("on")]
    played = ended(await stage.play({"lead": lead, "helper": [{"say": "never asked"}]}))
    assert played.run.output == {"answer": "on"}


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([{"misbehave": 529}], "overloaded"),
        ([{"misbehave": 401}], "authentication_failed"),
        ([{"misbehave": "malformed"}], "model_error"),
        ([{"misbehave": "truncated", "say": "half"}], "model_error"),
        ([{"result": {"answer": 7}}] * 6, "invalid_output"),
        ([{"say": "done"}] * 3, "no_structured_output"),
    ],
)
async def test_a_lead_that_fails_after_its_worker_has_reported_ends_the_run_with_its_code(
    stage: Stage, turns: Sequence[dict[str, Any]], code: str
) -> None:
    led(stage)
    helper = [call("get_ticket", ticket_id="t_1"), {"say": "looked"}]
    played = ended(await stage.play({"lead": [delegate(("helper", "look")), *turns], "helper": helper}))
    assert (played.run.status, played.error["code"]) == ("failed", code)
    assert played.span("helper").status == "ok"


@pytest.mark.real_cli
async def test_a_model_that_never_answers_is_given_up_when_its_time_is_over(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", limits={"wall_clock_s": 8})
    lead = [delegate(("helper", "look")), answer("{{ results.delegate.reports[0].error.code }}")]
    played = ended(await stage.play({"lead": lead, "helper": [{"misbehave": "never"}]}))
    assert played.run.output == {"answer": "wall_clock_exceeded"}
    assert played.span("helper").seconds < 30
