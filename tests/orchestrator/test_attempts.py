"""What a worker fails at is tried otherwise before its lead hears of it, unless something can have been changed."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_orchestrator.journal.journal import Span
from support.runs import LOOK, Killed
from support.stage import Played, Stage, answer, call, delegate
from support.trees import shown

pytestmark = pytest.mark.cli_double

REPORT = answer("{{ results.delegate.reports[0] | tojson }}")
LEAD: list[dict[str, Any]] = [delegate(("helper", "look")), answer("{{ results.delegate.reports[0].report }}")]
OVERLOADED = {"misbehave": 529}


def with_helper(stage: Stage, *tools: str, **front: Any) -> Stage:
    stage.fleet["limits"]["session"]["wall_clock_s"] = 120
    stage.playbook["limits"] = {"wall_clock_s": 300}
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", *tools, **front)
    return stage


def sessions(played: Played, *names: str) -> list[Span]:
    return [span for span in played.spans if span.kind == "session" and span.name in names]


def report(played: Played) -> dict[str, Any]:
    assert played.run.output, played.run.error
    return json.loads(str(played.run.output["answer"]))


@pytest.mark.real_cli
async def test_a_worker_whose_model_is_overloaded_is_tried_again(stage: Stage) -> None:
    with_helper(stage, "get_ticket")
    helper = [call("get_ticket", ticket_id="t_1"), {**OVERLOADED, "times": 1, "say": "looked"}]
    played = await stage.play({"lead": LEAD, "helper": helper})
    assert played.run.output == {"answer": "looked"}
    first, second = sessions(played, "helper")
    assert (first.status, second.status) == ("failed", "ok")
    assert (second.attributes["attempt"], second.attributes["why"]) == (2, "retry after overloaded")
    assert first.parent_id == second.parent_id == played.span("delegate").span_id
    assert "helper  attempt 2: retry after overloaded" in shown(played.spans)


async def test_the_lead_of_a_run_is_tried_again_too(stage: Stage) -> None:
    stage.worker("lead")
    played = await stage.play({"lead": [{**OVERLOADED, "times": 1, **answer("done")}]})
    assert played.run.output == {"answer": "done"}
    assert [span.status for span in sessions(played, "lead")] == ["failed", "ok"]


async def test_attempts_share_what_the_worker_was_given(stage: Stage) -> None:
    with_helper(stage, "get_ticket", limits={"max_turns": 3})
    looks = [call("get_ticket", f"look_{n}", ticket_id="t_1") for n in range(2)]
    played = await stage.play(
        {"lead": [*LEAD[:1], REPORT], "helper": [*looks, {**OVERLOADED, "times": 1, "say": "no"}, *looks]}
    )
    first, second = sessions(played, "helper")
    allowed = played.ledger[second.span_id].max_turns
    assert (first.turns, allowed, second.turns) == (2, 1, 1)
    assert report(played)["error"]["code"] == "turns_exceeded"
    assert report(played)["turns"] == 3


async def test_what_may_have_changed_something_is_not_tried_again_and_the_lead_hears_what(stage: Stage) -> None:
    with_helper(stage, "get_ticket", "close_ticket", fallback="other")
    stage.worker("other")
    close = call("close_ticket", ticket_id="t_2")
    helper = [call("get_ticket", ticket_id="t_1"), {**close, "say": "Closing it."}, OVERLOADED]
    played = await stage.play({"lead": [*LEAD[:1], REPORT], "helper": helper, "other": [{"say": "never asked"}]})
    assert len(sessions(played, "helper", "other")) == 1
    told = report(played)
    assert (told["status"], told["report"], told["error"]["code"]) == ("failed", "Closing it.", "overloaded")
    assert (told["error"]["retryable"], told["error"]["details"]) == (True, {"status": 529})
    assert told["done"] == [{"tool": "mcp__desk__close_ticket", "status": "ok", "arguments": {"ticket_id": "t_2"}}]


async def test_a_call_of_which_no_answer_came_is_told_as_unknown(stage: Stage) -> None:
    with_helper(stage, "hang", limits={"wall_clock_s": 12}, fallback="other")
    stage.worker("other")
    played = await stage.play(
        {"lead": [*LEAD[:1], REPORT], "helper": [call("hang")], "other": [{"say": "never asked"}]}
    )
    assert report(played)["error"]["code"] == "wall_clock_exceeded"
    assert report(played)["done"] == [{"tool": "mcp__desk__hang", "status": "unknown", "arguments": {}}]
    assert len(sessions(played, "helper", "other")) == 1


async def test_the_fallback_model_takes_over_from_one_that_stays_overloaded(stage: Stage) -> None:
    stage.fleet["models"] = {"default": "opus", "fallbacks": {"haiku": "sonnet"}}
    with_helper(stage, model="haiku")
    played = await stage.play({"lead": LEAD, "helper": [{**OVERLOADED, "times": 2, "say": "from the other"}]})
    assert played.run.output == {"answer": "from the other"}
    assert [span.attributes.get("why") for span in sessions(played, "helper")] == [
        None,
        "retry after overloaded",
        "fallback model sonnet after overloaded",
    ]
    asked = [request.model for request in played.requests if request.agent == "helper"]
    assert ["haiku" in model for model in asked] == [True, True, False]
    assert "sonnet" in asked[-1]


@pytest.mark.parametrize("attempts", [1, 2])
async def test_the_fallback_worker_is_told_why_it_was_called(stage: Stage, attempts: int) -> None:
    with_helper(stage, fallback="other", attempts=attempts)
    stage.worker("other", "get_ticket")
    played = await stage.play({"lead": LEAD, "helper": [OVERLOADED], "other": [{"say": "{{ task }}"}]})
    assert played.run.output
    said = str(played.run.output["answer"])
    assert said.startswith("look\n\nhelper was to do this and failed, without having changed anything: ")
    assert len(sessions(played, "helper")) == attempts
    (other,) = sessions(played, "other")
    assert (other.attributes["attempt"], other.attributes["why"]) == (
        attempts + 1,
        "fallback for helper after overloaded",
    )


async def test_a_wrong_key_is_tried_with_nobody_else(stage: Stage) -> None:
    stage.fleet["models"] = {"default": "opus", "fallbacks": {"opus": "sonnet"}}
    with_helper(stage, fallback="other")
    stage.worker("other")
    played = await stage.play(
        {"lead": [*LEAD[:1], REPORT], "helper": [{"misbehave": 401}], "other": [{"say": "never asked"}]}
    )
    assert report(played)["error"]["code"] == "authentication_failed"
    assert report(played)["done"] == []
    assert len(sessions(played, "helper", "other")) == 1


async def test_when_all_has_failed_the_lead_hears_of_the_last_and_works_on(stage: Stage) -> None:
    stage.fleet["models"] = {"default": "opus", "fallbacks": {"opus": "sonnet"}}
    with_helper(stage, fallback="other", attempts=1)
    stage.worker("other", attempts=1)
    played = await stage.play({"lead": [*LEAD[:1], REPORT], "helper": [OVERLOADED], "other": [{"misbehave": 500}]})
    whys = [span.attributes.get("why") for span in sessions(played, "helper", "other")]
    assert whys == [
        None,
        "fallback model sonnet after overloaded",
        "fallback for helper after overloaded",
        "fallback model sonnet after model_error",
    ]
    assert played.run.status == "ok"
    assert report(played)["error"]["code"] == "model_error"


def test_a_process_that_is_killed_between_attempts_leaves_the_next_one_to_another(tmp_path: Path) -> None:
    case = Killed(tmp_path)
    agents = {
        "lead": [delegate(("reader", "look")), answer("{{ results.delegate.reports[0].report }}")],
        "reader": [LOOK, OVERLOADED],
        "clerk": [LOOK, {"say": "looked in its place"}],
    }
    script = {"name": "case", "agents": {name: [{"turns": turns}] for name, turns in agents.items()}}
    (case.configs / "rehearsals" / "case.yaml").write_text(yaml.safe_dump(script))
    reader = case.configs / "workers" / "reader.md"
    reader.write_text(reader.read_text().replace("name: reader", "name: reader\nattempts: 1\nfallback: clerk"))
    process = case.start(*case.begin(), site="part_begins", nth=3)  # of the lead, of the reader, of the clerk
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert case.finish("resume", "--json")["output"] == {"answer": "looked in its place"}
    spans = case.trace()
    assert [span["status"] for span in spans if span["name"] in ("reader", "clerk")] == ["failed", "ok"]
    assert len([span for span in spans if span["kind"] == "tool"]) == 2
