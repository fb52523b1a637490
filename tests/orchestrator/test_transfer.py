"""A lead hands its case over for good: the worker's result takes the place of its own."""

from typing import Any

import pytest
from flotilla_orchestrator.config.config import Config
from flotilla_orchestrator.config.files import load
from support import stage as support
from support.stage import Stage, answer, call, delegate

pytestmark = pytest.mark.cli_double

HANDED = "mcp__gate__transfer_case"


def transfer(worker: str, note: str, **more: Any) -> dict[str, Any]:
    return {"call": HANDED, "id": "transfer", "arguments": {"worker": worker, "note": note}, **more}


def of_a_case(stage: Stage) -> Stage:
    stage.playbook["inputs"] = {"type": "object", "properties": {"ticket_id": {"type": "string"}}}
    stage.worker("lead", transfers=["expert"])
    stage.worker("expert", "get_ticket")
    return stage


@pytest.mark.real_cli
async def test_the_worker_answers_in_place_of_its_lead(stage: Stage) -> None:
    of_a_case(stage)
    expert = [
        call("get_ticket", ticket_id="{{ task | regex('t_[0-9]') }}"),
        answer("{{ task }}: {{ last.customer_id }}"),
    ]
    played = await stage.play(
        {"lead": [transfer("expert", "It is about a bill.")], "expert": expert},
        task="Help me.",
        inputs={"ticket_id": "t_1"},
    )
    assert played.run.output == {
        "answer": 'Help me.\n\nInputs:\n- ticket_id: "t_1"\n\nHanded over by lead: It is about a bill.: cust_1'
    }
    lead, handed, expert_span = played.span("lead"), played.span("transfer_case"), played.span("expert")
    assert (lead.status, handed.status, expert_span.status) == ("ok", "ok", "ok")
    assert (handed.parent_id, expert_span.parent_id) == (lead.span_id, handed.span_id)
    assert lead.ended_at
    assert lead.ended_at <= expert_span.started_at
    assert len([request for request in played.requests if request.agent == "lead"]) == 1


async def test_a_case_is_handed_on_with_every_note_and_reported_to_whoever_delegated_it(stage: Stage) -> None:
    stage.worker("lead", delegates=["first"])
    stage.worker("first", transfers=["second"])
    stage.worker("second", transfers=["third"])
    stage.worker("third")
    played = await stage.play(
        {
            "lead": [delegate(("first", "task")), answer("{{ results.delegate.reports[0].report }}")],
            "first": [transfer("second", "one")],
            "second": [transfer("third", "two")],
            "third": [{"say": "{{ task }}"}],
        }
    )
    assert played.run.output == {"answer": "task\n\nHanded over by first: one\n\nHanded over by second: two"}


async def test_what_a_lead_has_left_goes_with_its_case(stage: Stage) -> None:
    stage.playbook["limits"] = {"max_turns": 4}
    of_a_case(stage)
    looks = [call("get_ticket", f"look_{n}", ticket_id="t_1") for n in range(9)]
    played = await stage.play({"lead": [transfer("expert", "look")], "expert": looks})
    assert played.error["code"] == "turns_exceeded"
    assert (played.span("lead").turns, played.span("expert").turns) == (1, 3)


async def test_a_case_cannot_be_handed_to_a_stranger(stage: Stage) -> None:
    of_a_case(stage)
    stage.worker("stranger")
    lead = [
        transfer("stranger", "yours"),
        {**transfer("lead", "mine"), "id": "own"},
        {**transfer("expert", " "), "id": "empty"},
        answer("{{ errors.transfer.code }} {{ errors.own.details.workers | join }} {{ errors.empty.code }}"),
    ]
    played = await stage.play({"lead": lead, "stranger": [{"say": "never asked"}]})
    assert played.run.output == {"answer": "unknown_worker expert invalid_arguments"}
    assert {request.agent for request in played.requests} == {"lead"}


async def test_nobody_delegates_deeper_than_the_limit_even_if_the_files_were_changed_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shallow(folder: Any) -> Config:
        config = load(folder)
        limits = config.fleet.limits.model_copy(update={"delegation_depth": 1})
        return Config(folder, config.fleet.model_copy(update={"limits": limits}), config.workers, config.playbooks)

    monkeypatch.setattr(support, "load", shallow)
    stage.worker("lead", delegates=["middle"])
    stage.worker("middle", delegates=["deep"], transfers=["deep"])
    stage.worker("deep")
    middle = [
        delegate(("deep", "do it")),
        transfer("deep", "do it"),
        {"say": "{{ errors.delegate.code }} {{ errors.transfer.code }}"},
    ]
    report = answer("{{ results.delegate.reports[0].report }}")
    played = await stage.play(
        {"lead": [delegate(("middle", "it")), report], "middle": middle, "deep": [{"say": "never asked"}]}
    )
    assert played.run.output == {"answer": "too_deep too_deep"}
