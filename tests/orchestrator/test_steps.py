"""A playbook by steps: what needs nothing runs side by side, and summaries are passed on, as data."""

from typing import Any

import pytest
from flotilla_orchestrator.journal.journal import Span
from flotilla_orchestrator.runs.step_result import MAX_SUMMARY_CHARS
from support.stage import OUTPUT, Played, Stage, answer, call, delegate, own_desk

pytestmark = pytest.mark.cli_double

SAY_TASK = {"say": "did {{ task }}"}
DOWN = {"misbehave": 500}
ONCE_DOWN = {"misbehave": 500, "times": 1}


def worker(step_id: str, *needs: str, task: str = "", **more: Any) -> dict[str, Any]:
    """A step for the worker `helper`."""
    return {"id": step_id, "worker": "helper", "task": task or step_id, "needs": [*needs], **more}


def playbook(stage: Stage, *steps: dict[str, Any], **more: Any) -> None:
    stage.playbook = {"name": "case", "description": "A case.", "steps": [*steps], **more}


def attempts(played: Played, step_id: str) -> list[Span]:
    return [span for span in played.spans if span.attributes.get("step") == step_id]


async def test_steps_without_a_path_between_them_overlap_and_needs_are_waited_for(stage: Stage) -> None:
    stage.worker("helper", "meet")
    both = "{{ steps.one.summary }}; {{ steps.two.summary }}"
    last = {"result": {"last": "{{ steps.three.summary }}"}}
    playbook(stage, worker("three", "one", "two", task=both), worker("one"), worker("two"), **last)
    meet = {"if": "{{ ';' not in task }}", **call("meet", place="steps", people=2)}
    played = await stage.play({"helper": [meet, SAY_TASK]})
    assert played.run.output == {"last": "did did one; did two"}
    (run,) = [span for span in played.spans if span.kind == "run"]
    ((one,), (two,), (three,)) = (attempts(played, name) for name in ("one", "two", "three"))
    assert {span.parent_id for span in (one, two, three)} == {run.span_id}
    assert max(one.started_at, two.started_at) < min(str(one.ended_at), str(two.ended_at))
    assert three.started_at > max(str(one.ended_at), str(two.ended_at))


async def test_what_a_step_said_is_data_and_no_template(stage: Stage) -> None:
    stage.worker("helper")
    playbook(
        stage,
        worker("look", task="{{ task }} of {{ inputs.name }}"),
        worker("tell", "look", task="{{ steps.look.summary }}{{ steps['look'].status }}"),
    )
    written = "{{ '{{ inputs }}{% raw %}' }} {{ task }}"
    inputs = {"name": "{{ inputs.secret }}", "secret": "x"}
    played = await stage.play({"helper": [{"say": written}]}, task="Look", inputs=inputs)
    first, second = (attempts(played, name)[0] for name in ("look", "tell"))
    assert first.attributes["task"] == "Look of {{ inputs.secret }}"
    assert second.attributes["task"] == "{{ inputs }}{% raw %} Look of {{ inputs.secret }}ok"


@pytest.mark.real_cli
async def test_outputs_are_validated_and_passed_on_and_make_the_result(stage: Stage) -> None:
    stage.worker("helper")
    playbook(
        stage,
        worker("find", output=OUTPUT),
        worker("tell", "find", task="{{ steps.find.output.answer }} {{ steps.find.summary }}"),
        output={"type": "object", "required": ["said", "found"], "properties": {"said": {"type": "string"}}},
        result={"said": "{{ steps.tell.summary }}", "found": "{{ steps.find.output }}"},
    )
    played = await stage.play({"helper": [{"if": "{{ task == 'find' }}", **answer("42")}, SAY_TASK]})
    assert played.run.output == {"said": 'did 42 {"answer": "42"}', "found": {"answer": "42"}}


async def test_a_long_report_is_cut_and_says_so(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("long"), worker("next", "long", task="{{ steps.long.summary }}"))
    played = await stage.play({"helper": [{"say": "{{ 'ab' * 5000 if task == 'long' else 'done' }}"}]})
    task = str(attempts(played, "next")[0].attributes["task"])
    assert len(task) == MAX_SUMMARY_CHARS
    assert task.endswith("[cut here; it has 10000 characters]")


async def test_a_step_that_fails_fails_the_run_and_what_needs_it_never_begins(stage: Stage) -> None:
    stage.worker("helper", "get_ticket")
    playbook(stage, worker("bad"), worker("good"), worker("after", "bad", "good"))
    played = await stage.play({"helper": [{"if": "{{ task == 'bad' }}", **DOWN}, SAY_TASK]})
    assert (played.error["code"], played.error["details"]["step"]) == ("model_error", "bad")
    assert played.error["message"].startswith("The step bad: ")
    assert [span.status for span in attempts(played, "good")] == ["ok"], "what is at work comes to its end"
    assert attempts(played, "after") == []


async def test_an_error_that_may_be_passed_on_is_told_honestly(stage: Stage) -> None:
    stage.worker("helper")
    told = "{{ steps.bad.status }}: {{ steps.bad.summary }}"
    playbook(stage, worker("bad", on_error="continue"), worker("after", "bad", task=told))
    played = await stage.play({"helper": [{"if": "{{ task == 'bad' }}", **DOWN}, {"say": "{{ task }}"}]})
    assert played.run.status == "ok"
    assert str((played.run.output or {})["summary"]).startswith("failed: This step failed (model_error): ")


async def test_a_retry_is_an_attempt_of_its_own_after_a_pause(stage: Stage) -> None:
    stage.worker("helper", "get_ticket")
    playbook(stage, worker("look", on_error="retry"))
    played = await stage.play(
        {"helper": [call("get_ticket", ticket_id="t_1"), {"say": "{{ last.customer_id }}", **ONCE_DOWN}]}
    )
    assert played.run.output == {"summary": "cust_1"}
    first, second = attempts(played, "look")
    assert (first.status, first.attributes.get("attempt")) == ("failed", None)
    assert (second.status, second.attributes["attempt"]) == ("ok", 2)
    assert (played.run.status, second.parent_id) == ("ok", first.parent_id)


async def test_after_three_attempts_the_step_has_failed(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("look", on_error="retry"))
    played = await stage.play({"helper": [DOWN]})
    assert [span.attributes.get("attempt") for span in attempts(played, "look")] == [None, 2, 3]
    assert played.error["message"].endswith("It was tried 3 times.")


async def test_what_may_have_changed_something_is_not_tried_again(stage: Stage) -> None:
    stage.fleet["servers"] = {"desk": own_desk()}
    stage.worker("helper", "die")
    playbook(stage, worker("act", on_error="retry"))
    played = await stage.play({"helper": [call("die"), DOWN]})
    assert len(attempts(played, "act")) == 1
    assert played.error["message"].endswith("It was not tried again: it may have changed something (die).")


async def test_a_change_by_a_delegate_counts_too(stage: Stage) -> None:
    stage.fleet["servers"] = {"desk": own_desk()}
    stage.worker("helper", delegates=["hand"])
    stage.worker("hand", "die")
    playbook(stage, worker("act", on_error="retry"))
    played = await stage.play({"helper": [delegate(("hand", "go")), DOWN], "hand": [call("die"), {"say": "done"}]})
    assert played.error["message"].endswith("may have changed something (die).")


async def test_an_output_that_does_not_fit_is_a_clear_failure(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("find", output=OUTPUT))
    played = await stage.play({"helper": [{"say": "forty-two"}, {"say": "really"}]})
    assert (played.error["code"], played.error["details"]["step"]) == ("no_structured_output", "find")


async def test_a_result_that_does_not_fit_is_a_clear_failure(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("find"), output=OUTPUT, result={"anser": "{{ steps.find.summary }}"})
    played = await stage.play({"helper": [SAY_TASK]})
    assert played.error["code"] == "invalid_output"
    assert played.error["message"] == "The result of case: 'answer' is a required property"


async def test_a_template_that_cannot_be_filled_fails_its_step_and_is_traced(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("find", task="{{ inputs.name }}"), inputs={"type": "object"})
    played = await stage.play({"helper": [SAY_TASK]})
    assert (played.error["code"], played.error["details"]["step"]) == ("bad_template", "find")
    assert [span.status for span in attempts(played, "find")] == ["failed"]


@pytest.mark.parametrize(("turns", "seen"), [(9, [3, 3, 3]), (4, [1, 1, 2])])
async def test_steps_that_begin_together_share_the_budget_evenly(stage: Stage, turns: int, seen: list[int]) -> None:
    stage.worker("helper", "meet")
    playbook(stage, worker("one"), worker("two"), worker("three"), limits={"max_turns": turns})
    played = await stage.play({"helper": [SAY_TASK]})
    shares = [played.ledger[attempts(played, name)[0].span_id].max_turns for name in ("one", "two", "three")]
    assert shares == seen


async def test_a_step_without_a_share_of_the_budget_says_so(stage: Stage) -> None:
    stage.worker("helper")
    playbook(stage, worker("one"), worker("two", "one", on_error="retry"), limits={"max_turns": 1})
    played = await stage.play({"helper": [SAY_TASK]})
    assert (played.error["code"], played.error["details"]["step"]) == ("run_budget_exceeded", "two")
    assert len(attempts(played, "two")) == 1
