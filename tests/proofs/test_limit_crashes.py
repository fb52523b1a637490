"""Limits hold over ten resumes: a run whose processes are killed one after the other, each after one or two more model
calls, ends when its turns or dollars are used up, as the model's own count of calls says. (A process can die before
the transcript has an answer: that call is lost, and counts.)"""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_orchestrator.config.prices import Tokens, shipped_prices
from flotilla_orchestrator.sessions.types import SYNTHETIC
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.server import Rehearsal
from support.proofs import FULL
from support.runs import LOOK, READ, Killed
from support.stage import OUTPUT

KILLS = 10 if FULL else 2
TURNS = 2 * KILLS + 4  # more than the processes that are killed can use
USD = 0.01 * TURNS  # so is this


class Looping(Killed):
    """A lead that looks things up again and again, with limits of its own."""

    def __init__(self, folder: Path, model: Rehearsal, **limits: float) -> None:
        live = {"ANTHROPIC_API_KEY": "sk-none", "ANTHROPIC_BASE_URL": model.url("lead")}
        super().__init__(folder, live)
        self._worker("lead", tools=[READ], limits=limits)
        playbook = {"name": "case", "description": "A case.", "lead": "lead", "output": OUTPUT}
        self._write("playbooks/case.yaml", yaml.safe_dump({**playbook, "limits": limits}))

    def costs(self) -> list[float]:
        """Of each model call, by the transcript and the price list."""
        with closing(sqlite3.connect(self.home / "journal.db")) as journal:
            lines = [json.loads(entry) for (entry,) in journal.execute("SELECT entry FROM transcripts ORDER BY line")]
        said = [line["message"] for line in lines if line["type"] == "assistant"]
        answers = {answer["id"]: answer["usage"] for answer in said if answer["model"] != SYNTHETIC}
        price = shipped_prices().price_of("sonnet")
        assert price
        tokens = [Tokens.from_usage(usage) for usage in answers.values()]
        return [price.cost(each, each.prompt) for each in tokens]


def killed_again_and_again(case: Looping) -> dict[str, Any]:
    """How the run ended, in the first process that was not killed."""
    words = ["run", "case", "Look.", "--configs", str(case.configs), "--json"]
    for _ in range(KILLS):
        process = case.start(*words, site="call_asked", nth=2)
        _, err = process.communicate()
        assert process.returncode == -9, err
        words = ["resume", "--json"]
    return case.finish(*words)


def looping() -> Rehearsal:
    turns = [{**LOOK, "id": f"look_{number}"} for number in range(3 * TURNS)]
    return Rehearsal(Scripts.model_validate({"name": "case", "agents": {"lead": [{"turns": turns}]}}))


@pytest.mark.prove
@pytest.mark.cli_double
async def test_turns_hold_over_ten_resumes(tmp_path: Path) -> None:
    async with looping() as model:
        case = Looping(tmp_path, model, max_turns=TURNS, budget_usd=5, wall_clock_s=600)
        ended = await asyncio.to_thread(killed_again_and_again, case)
        assert len(model.requests) == TURNS
    assert ended["error"]["code"] == "turns_exceeded"
    assert ended["error"]["details"] == {"used": TURNS, "limit": TURNS, "over": 0}
    used = ended["ledger"]["used"]
    assert used["turns"] + used["lost_turns"] == TURNS
    assert used["turns"] == ended["totals"]["turns"] == len(case.costs())
    assert used["cost_usd"] == pytest.approx(sum(case.costs()), abs=1e-5)
    assert ended["ledger"]["over"] == {"turns": 0, "cost_usd": 0}


@pytest.mark.prove
@pytest.mark.cli_double
async def test_dollars_hold_over_ten_resumes_but_for_one_model_call(tmp_path: Path) -> None:
    async with looping() as model:
        case = Looping(tmp_path, model, max_turns=500, budget_usd=USD, wall_clock_s=600)
        ended = await asyncio.to_thread(killed_again_and_again, case)
        calls = len(model.requests)
    used, costs = ended["ledger"]["used"], case.costs()
    assert used["turns"] + used["lost_turns"] == calls > KILLS
    assert ended["error"]["code"] == "budget_exceeded"
    details = ended["error"]["details"]
    assert details["limit"] == USD
    assert details["used"] == pytest.approx(sum(costs) + used["lost_usd"], abs=1e-5)
    assert details["over"] == pytest.approx(details["used"] - USD, abs=1e-5)
    assert details["used"] - costs[-1] < USD <= details["used"]  # the last call, and no other, went beyond it
    (agent,) = ended["ledger"]["agents"]
    assert agent["over"]["cost_usd"] == ended["ledger"]["over"]["cost_usd"] == details["over"]


@pytest.mark.cli_double
async def test_calls_that_were_made_before_anything_of_the_transcript_was_stored_count(tmp_path: Path) -> None:
    async with looping() as model:
        case = Looping(tmp_path, model, max_turns=6, budget_usd=5, wall_clock_s=600)

        def killed_once() -> dict[str, Any]:
            words = ["run", "case", "Look.", "--configs", str(case.configs), "--json"]
            case.start(*words, site="call_asked", nth=2).communicate()
            with closing(sqlite3.connect(case.home / "journal.db")) as journal, journal:
                journal.execute("DELETE FROM transcripts")
            case.forget_claude()
            return case.finish("resume", "--json")

        ended = await asyncio.to_thread(killed_once)
        assert len(model.requests) == 6
    assert ended["error"]["code"] == "turns_exceeded"
    used = ended["ledger"]["used"]
    assert (used["turns"], used["lost_turns"]) == (4, 2)
