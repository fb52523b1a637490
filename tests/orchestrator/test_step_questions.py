"""A step that asks a person: decided once, from anywhere on the machine, whether or not a process is at work."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import programs
from support.programs import Program
from support.runs import Killed
from support.terminal import at_terminal

pytestmark = pytest.mark.cli_double

LOOK = {"id": "look", "worker": "lead", "task": "Look at it."}
ASK = {"id": "sign-off", "approve": "Tell {{ inputs.name }}?", "needs": ["look"]}
TELL = {"id": "tell", "worker": "lead", "task": "{{ steps['sign-off'].summary }}", "needs": ["sign-off"]}


class Asking(Killed):
    """A run of three steps without a server: look, ask a person, tell."""

    def __init__(self, folder: Path, *steps: dict[str, Any], turn: dict[str, Any] | None = None) -> None:
        super().__init__(folder)
        playbook = {"name": "case", "description": "A case.", "steps": [*(steps or (LOOK, ASK, TELL))]}
        inputs = {"type": "object", "properties": {"name": {"type": "string"}}}
        self._write("playbooks/case.yaml", yaml.safe_dump({**playbook, "inputs": inputs}))
        turns = [*([turn] if turn else []), {"say": "did: {{ task }}"}]
        self._write("rehearsals/case.yaml", yaml.safe_dump({"name": "case", "agents": {"lead": [{"turns": turns}]}}))
        self._worker("lead", tools=[])

    def begin(self, *more: str) -> list[str]:
        return [*super().begin(*more), "--input", "name=Maya"]

    def asking(self) -> tuple[Program, str]:
        """The command, at work until a step asks, and its run."""
        process = self.start(*self.begin())
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"flotilla decide (run_\w+) sign-off approve", line):
                return process, found[1]
        raise AssertionError(f"nothing was asked: {process.communicate()}")

    def answer(self, *words: str, step: str = "sign-off") -> dict[str, Any]:
        done = self.start("decide", "last", step, *words, "--json")
        out, err = done.communicate()
        assert out, err
        return json.loads(out)


@pytest.fixture
def case(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


def ended(process: Program) -> dict[str, Any]:
    return json.loads(process.communicate()[0])


def test_a_person_sees_what_is_asked_and_approves_once(case: Asking) -> None:
    process, run_id = case.asking()
    (listed,) = case.finish("runs", "--json")["runs"]
    assert (listed["state"], listed["waits_for"][0]["approval_id"]) == ("waiting", f"{run_id}/sign-off")
    shown = case.answer()
    assert shown["facts"] == {"name": "Maya", "question": "Tell Maya?"}
    assert (shown["state"], shown["arguments"]) == ("pending", {"look": "did: Look at it."})
    assert case.answer("approve", "--confirm", "look")["error"]["code"] == "not_confirmed"
    assert case.answer("approve", step="look")["error"]["code"] == "unknown_approval"
    command = [*programs.command("flotilla"), "decide", run_id, "sign-off", "approve", "--reason", "go on"]
    code, told = at_terminal(command, case.environment, "sign-off")
    assert (code, "sign-off: Tell Maya?" in told) == (0, True), told
    summary = ended(process)["output"]["summary"]
    assert summary.startswith("did: Approved by ")
    assert summary.endswith(": go on")
    assert case.answer("reject")["error"]["code"] == "approval_decided"
    (asked,) = [span for span in case.trace() if span["kind"] == "approval"]
    assert (asked["status"], asked["attributes"]["step"]) == ("ok", "sign-off")
    assert asked["attributes"]["approval"]["state"] == "approved"


def test_a_rejection_fails_the_step_with_its_reason(case: Asking) -> None:
    process, _ = case.asking()
    assert case.answer("reject", "--reason", "she is on holiday")["state"] == "rejected"
    error = ended(process)["error"]
    assert error["code"] == "approval_rejected"
    assert error["message"].startswith("The step sign-off: ")
    assert error["message"].endswith(" refused it: she is on holiday")
    assert [(span["name"], span["status"]) for span in case.trace()] == [
        ("case", "failed"),
        ("lead", "ok"),
        ("sign-off", "denied"),
    ]


def test_a_decision_while_nobody_is_at_work_counts_when_the_run_goes_on(case: Asking) -> None:
    process, _ = case.asking()
    case.kill(process)
    case.forget_claude()
    assert case.answer("approve", "--confirm", "sign-off")["state"] == "approved"
    assert case.answer("reject")["error"]["code"] == "approval_decided"
    done = case.finish("resume", "--json")
    assert done["status"] == "ok"
    assert done["output"]["summary"].startswith("did: Approved by ")
    names = [(span["name"], span["status"]) for span in case.trace()]
    assert names == [("case", "ok"), ("lead", "ok"), ("sign-off", "ok"), ("lead", "ok")]


def test_a_question_that_nobody_answers_expires_also_when_nobody_is_at_work(tmp_path: Path) -> None:
    case = Asking(tmp_path, LOOK, {**ASK, "expires_hours": 0.0002}, TELL)  # less than a second
    process, _ = case.asking()
    case.kill(process)
    time.sleep(1)
    assert case.answer("approve", "--confirm", "sign-off")["error"]["code"] == "approval_expired"
    error = case.finish("resume", "--json")["error"]
    assert (error["code"], error["details"]["step"]) == ("approval_expired", "sign-off")
    assert {span["name"]: span["status"] for span in case.trace()}["sign-off"] == "failed"


def test_a_question_is_taken_back_when_another_step_fails(tmp_path: Path) -> None:
    asks = {**ASK, "needs": []}
    case = Asking(tmp_path, asks, LOOK, turn={"misbehave": 500})
    error = ended(case.start(*case.begin()))["error"]
    assert (error["code"], error["details"]["step"]) == ("model_error", "look")
    assert {span["name"]: span["status"] for span in case.trace()}["sign-off"] == "interrupted"
    assert case.answer("reject")["error"]["code"] == "approval_decided"


def test_at_the_terminal_of_the_run_it_is_asked_there_and_a_rejection_may_be_passed_on(tmp_path: Path) -> None:
    case = Asking(tmp_path, LOOK, {**ASK, "on_error": "continue"}, TELL)
    command = [*programs.command("flotilla"), *(word for word in case.begin() if word != "--json")]
    code, shown = at_terminal(command, case.environment, "r", "[a/r/l] ", also={"Why?": "she is on holiday"})
    assert code == 0, shown
    for words in ("sign-off: Tell Maya?", "did: This step failed (approval_rejected): ", "she is on holiday"):
        assert words in " ".join(shown.split())


@pytest.mark.parametrize(("site", "nth"), [("steps_started", 1), ("step_done", 1)])
def test_steps_killed_anywhere_go_on_and_each_is_done_once(tmp_path: Path, site: str, nth: int) -> None:
    both = {**TELL, "task": "{{ steps.look.summary }}", "needs": ["look", "see"]}
    case = Asking(tmp_path, LOOK, {**LOOK, "id": "see"}, both)
    process = case.start(*case.begin(), site=site, nth=nth)
    process.communicate()
    done = case.finish("resume", "--json")
    assert done["output"]["summary"] == "did: did: Look at it."
    steps = [span["attributes"]["step"] for span in case.trace() if span["kind"] == "session"]
    assert sorted(steps) == ["look", "see", "tell"]
