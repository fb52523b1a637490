"""A run's limits: each ends it clearly, whoever reaches it, and nothing goes on running."""

import os

import pytest
from support.sessions import claude_processes
from support.stage import Stage, answer, call, delegate

pytestmark = pytest.mark.cli_double

LOOP = [call("get_ticket", f"again_{n}", ticket_id="t_1") for n in range(12)]


@pytest.mark.real_cli
async def test_a_worker_out_of_turns_comes_back_to_its_lead_as_an_error(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket", limits={"max_turns": 2})
    lead = [delegate(("helper", "one")), answer("{{ results.delegate.reports[0].error.code }}")]
    played = await stage.play({"lead": lead, "helper": LOOP})
    assert played.run.output == {"answer": "turns_exceeded"}
    helper = played.span("helper")
    assert helper.turns == 2
    assert isinstance(error := helper.attributes["error"], dict)
    assert error["details"] == {"used": 2, "limit": 2, "over": 0}


async def test_a_run_cannot_use_more_turns_than_it_has_however_many_workers_share_them(stage: Stage) -> None:
    stage.playbook["limits"] = {"max_turns": 8}
    stage.worker("lead", delegates=["helper"], limits={"max_turns": 4})
    stage.worker("helper", "get_ticket")
    codes = "{{ results.delegate.reports | map(attribute='error') | map(attribute='code') | join(' ') }}"
    lead = [delegate(*[("helper", f"task {n}") for n in range(5)]), answer(codes)]
    played = await stage.play({"lead": lead, "helper": LOOP})
    assert played.run.output == {"answer": " ".join(["run_budget_exceeded"] + 4 * ["turns_exceeded"])}
    assert sum(span.turns for span in played.spans) <= 8


@pytest.mark.real_cli
async def test_a_run_out_of_dollars_says_so(stage: Stage) -> None:
    stage.playbook["limits"] = {"budget_usd": 0.00001}
    stage.worker("lead", "get_ticket")
    played = await stage.play({"lead": LOOP})
    assert played.error["code"] == "budget_exceeded"
    lead = played.span("lead")
    assert lead.turns == 1, "it overshoots by one model call"
    assert lead.cost_usd
    details = played.error["details"]
    assert details["limit"] == 0.00001
    assert details["used"] == pytest.approx(lead.cost_usd, abs=1e-6)
    assert details["over"] == pytest.approx(lead.cost_usd - 0.00001, abs=1e-6)


async def test_a_lead_out_of_time_takes_its_workers_with_it(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"], limits={"wall_clock_s": 6})
    stage.worker("helper", "wait_forever")
    played = await stage.play(
        {"lead": [delegate(("helper", "one")), answer("never")], "helper": [call("wait_forever")]}
    )
    assert played.error["code"] == "wall_clock_exceeded"
    assert played.span("helper").status != "running"
    assert played.span("wait_forever").status == "interrupted"
    assert claude_processes(os.getpid()) == []


async def test_a_run_out_of_time_ends_within_it(stage: Stage) -> None:
    stage.playbook["limits"] = {"wall_clock_s": 2}
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper")
    played = await stage.play({"lead": [delegate(("helper", "one")), answer("no")], "helper": [{"misbehave": "never"}]})
    assert played.error["code"] == "wall_clock_exceeded"
    assert all(span.ended_at for span in played.spans)
