"""A lead delegates: in parallel, only to its own workers, and a failing one harms no other."""

import json
from collections.abc import Iterator

import pytest
import yaml
from flotilla_orchestrator.journal.journal import Span
from support.stage import Played, Stage, answer, call, delegate

pytestmark = pytest.mark.cli_double


async def test_a_lead_sees_nothing_but_delegate(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    played = await stage.play({"lead": [delegate(("helper", "look")), answer("done")], "helper": [{"say": "looked"}]})
    assert played.run.status == "ok"
    tools = {request.agent: set(request.tools) for request in played.requests}
    assert tools["lead"] == {"mcp__gate__delegate", "StructuredOutput"}
    assert tools["helper"] == {"mcp__desk__get_ticket"}


@pytest.mark.real_cli
async def test_the_report_of_a_worker_reaches_its_lead(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    played = await stage.play(
        {
            "lead": [delegate(("helper", "ticket t_1")), answer("{{ results.delegate.reports[0].report }}")],
            "helper": [call("get_ticket", ticket_id="{{ task | regex('t_.') }}"), {"say": "of {{ last.customer_id }}"}],
        }
    )
    assert played.run.output == {"answer": "of cust_1"}
    assert played.span("get_ticket").parent_id == played.span("helper").span_id
    assert played.span("helper").parent_id == played.span("delegate").span_id
    assert played.span("delegate").parent_id == played.span("lead").span_id


async def test_tasks_of_one_call_run_at_the_same_time(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "meet")
    played = await stage.play(
        {
            "lead": [
                delegate(("helper", "one"), ("helper", "two")),
                answer("{{ results.delegate.reports | length }} reports"),
            ],
            "helper": [call("meet", place="here", people=2), {"say": "{{ last }}"}],
        }
    )
    assert played.run.status == "ok", played.run.error
    assert played.run.output == {"answer": "2 reports"}


async def test_an_unknown_worker_is_an_error_that_names_the_team(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper")
    stage.worker("stranger")
    played = await stage.play(
        {
            "lead": [
                delegate(("helper", "one"), ("stranger", "two")),
                answer("{{ errors.delegate.code }} {{ errors.delegate.details.workers | join }}"),
            ],
            "helper": [{"say": "never asked"}],
        }
    )
    assert played.run.output == {"answer": "unknown_worker helper"}
    assert {request.agent for request in played.requests} == {"lead"}


async def test_more_than_eight_tasks_are_refused_before_any_starts(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper")
    nine = [("helper", f"task {n}") for n in range(9)]
    played = await stage.play(
        {"lead": [delegate(*nine), answer("{{ errors.delegate.message }}")], "helper": [{"say": "never asked"}]}
    )
    assert played.run.output == {"answer": "9 tasks were given; a call takes 1 to 8."}


async def test_a_failing_worker_is_reported_and_its_sibling_finishes(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper", "broken"])
    stage.worker("helper", "get_ticket")
    stage.worker("broken", attempts=1)
    played = await stage.play(
        {
            "lead": [
                delegate(("broken", "one"), ("helper", "two")),
                answer(
                    "{{ results.delegate.reports | map(attribute='status') | join(' ') }}"
                    " {{ results.delegate.reports[0].error.code }}"
                ),
            ],
            "broken": [{"misbehave": 500}],
            "helper": [call("get_ticket", ticket_id="t_2"), {"say": "fine"}],
        }
    )
    assert played.run.output == {"answer": "failed ok model_error"}
    assert json.loads(json.dumps(played.span("broken").attributes["error"]))["details"] == {"status": 500}


async def test_a_worker_with_delegates_is_a_lead_itself_even_with_one_slot(stage: Stage) -> None:
    stage.fleet["concurrency"] = 1
    stage.worker("lead", delegates=["middle"])
    stage.worker("middle", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    report = "{{ results.delegate.reports[0].report }}"
    played = await stage.play(
        {
            "lead": [delegate(("middle", "one")), answer(report)],
            "middle": [delegate(("helper", "two")), {"say": f"middle heard: {report}"}],
            "helper": [{"say": "helped"}],
        }
    )
    assert played.run.output == {"answer": "middle heard: helped"}


async def test_a_team_of_three_levels_works_in_parallel_on_two_of_them_within_its_budget(stage: Stage) -> None:
    stage.fleet["limits"] |= {
        "session": {"wall_clock_s": 120},
        "run": {"max_turns": 24, "budget_usd": 3, "wall_clock_s": 300},
    }
    stage.worker("lead", delegates=["left", "right"], limits={"max_turns": 4})
    for name in ("left", "right"):
        stage.worker(name, delegates=["helper"], limits={"max_turns": 3})
    stage.worker("helper", "meet", limits={"max_turns": 2})
    reports = "{{ results.delegate.reports | map(attribute='report') | join('+') }}"
    leads = [delegate(("helper", "{{ task }}"), ("helper", "{{ task }}")), {"say": f"({reports})"}]
    played = await stage.play(
        {
            "lead": [delegate(("left", "at the left"), ("right", "at the right")), answer(reports)],
            "left": leads,
            "right": leads,
            "helper": [call("meet", place="{{ task }}", people=2), {"say": "{{ last.result }}"}],
        }
    )
    assert played.run.output == {"answer": "(met+met)+(met+met)"}, played.run.error
    depths = {span.name: sum(1 for _ in above(played, span)) for span in played.spans if span.kind == "session"}
    assert depths == {"lead": 1, "left": 3, "right": 3, "helper": 5}
    left, right = played.span("left"), played.span("right")
    assert max(left.started_at, right.started_at) < min(str(left.ended_at), str(right.ended_at))
    assert sum(span.turns for span in played.spans) == 2 + 2 * 2 + 4 * 2


def above(played: Played, span: Span) -> Iterator[Span]:
    while found := next((one for one in played.spans if one.span_id == span.parent_id), None):
        yield (span := found)


async def test_a_worker_delegates_to_one_that_only_another_playbook_names(stage: Stage) -> None:
    """Workers are files that all playbooks share, each with its mandate for the run that it works in."""
    stage.worker("lead", delegates=["helper"], limits={"max_turns": 4})
    stage.worker("helper", delegates=["specialist"], limits={"max_turns": 4})
    stage.worker("specialist", "get_ticket")
    other = {"name": "other", "description": "Another case.", "lead": "specialist", "output": stage.playbook["output"]}
    stage.write("playbooks/other.yaml", yaml.safe_dump(other))
    played = await stage.play(
        {
            "lead": [delegate(("helper", "look")), answer("{{ results.delegate.reports[0].report }}")],
            "helper": [delegate(("specialist", "t_2")), {"say": "it is {{ results.delegate.reports[0].report }}"}],
            "specialist": [call("get_ticket", ticket_id="t_2"), {"say": "of {{ last.customer_id }}"}],
        }
    )
    assert played.run.output == {"answer": "it is of cust_2"}, played.spans
    assert played.span("get_ticket").parent_id == played.span("specialist").span_id
