"""People steer a run while it is at work: pause, resume, cancel, and a word to its lead."""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator.__main__ import main
from flotilla_orchestrator.journal.journal import Journal, now
from flotilla_orchestrator.journal.steering import STEERING
from flotilla_orchestrator.runs.steering import SteeringWatch
from sqlalchemy import Connection, insert
from support.commands import descendants
from support.programs import Program
from support.runs import Killed
from support.stage import Stage, answer, call, delegate
from support.teller import CHARGE, refunds_in

pytestmark = pytest.mark.cli_double


@pytest.fixture
def case(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


def begun(case: Killed) -> tuple[Program, str, str]:
    """The run at work until its call waits; its id and the approval's."""
    process, approval_id = case.waiting(*case.begin())
    return process, listed(case)["run_id"], approval_id


def said(case: Killed, *words: str) -> dict[str, Any]:
    return json.loads(case.start(*words, "--json").communicate()[0])


def listed(case: Killed) -> dict[str, Any]:
    (run,) = said(case, "runs")["runs"]
    return run


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.1)


def sessions(process: Program) -> int:
    return sum("stream-json" in command for command in descendants(process.pid).values())


@pytest.mark.real_cli
def test_a_paused_run_holds_no_session_and_goes_on_where_it_was(case: Killed) -> None:
    process, run_id, approval_id = begun(case)
    assert said(case, "pause", run_id) == {"run_id": run_id, "state": "pausing"}
    assert listed(case)["state"] == "paused"
    case.decide("approve", approval_id)
    until(lambda: sessions(process) == 0)
    assert process.poll() is None
    assert refunds_in(case.home / "billing.db") == []
    assert said(case, "resume", run_id) == {"run_id": run_id, "state": "running"}
    out, err = process.communicate()
    assert json.loads(out)["output"] == {"answer": "ok ok: succeeded"}, err
    assert refunds_in(case.home / "billing.db") == [(CHARGE, 24500)]


def test_a_run_that_died_while_it_was_paused_is_taken_up_by_resume(case: Killed) -> None:
    process, run_id, approval_id = begun(case)
    said(case, "pause", run_id)
    case.decide("approve", approval_id)
    case.kill(process)
    ended = case.finish("resume", run_id, "--json")
    assert ended["output"] == {"answer": "ok ok: succeeded"}
    assert refunds_in(case.home / "billing.db") == [(CHARGE, 24500)]


def test_a_cancelled_run_ends_and_says_so(case: Killed) -> None:
    process, run_id, _ = begun(case)
    assert said(case, "cancel", run_id)["state"] == "cancelling"
    out, _ = process.communicate()
    assert process.returncode == 1
    ended = json.loads(out)
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "cancelled")
    assert all(span["ended_at"] for span in case.trace())
    assert refunds_in(case.home / "billing.db") == []
    assert said(case, "resume", run_id)["error"]["code"] == "run_ended"


def test_a_run_whose_process_is_gone_is_cancelled_by_the_command(case: Killed) -> None:
    process, run_id, _ = begun(case)
    case.kill(process)
    assert said(case, "cancel", run_id)["state"] == "cancelled"
    assert listed(case)["state"] == "cancelled"
    assert said(case, "cancel", run_id)["error"]["code"] == "run_ended"
    assert said(case, "resume", run_id)["error"]["code"] == "run_ended"


def test_an_unknown_run_is_not_steered(case: Killed) -> None:
    for words in (["pause", "run_none"], ["cancel", "run_none"], ["tell", "run_none", "hello"]):
        assert said(case, *words)["error"]["code"] == "unknown_run"


async def told(stage: Stage, agents: dict[str, Any], when: str) -> dict[str, Any]:
    """Play, and tell the lead something once this span is at work; the run's output."""
    flags = ["--home", str(stage.home), "--json"]

    playing = asyncio.create_task(stage.play(agents))
    while not playing.done():
        await asyncio.sleep(0.1)
        run_id = await asyncio.to_thread(_at_work, stage, when)
        if run_id:
            assert (
                await asyncio.to_thread(main, ["tell", run_id, "The customer called: refund only half.", *flags]) == 0
            )
            break
    played = await playing
    assert played.run.status == "ok", played.run.error
    assert played.run.output
    return dict(played.run.output)


def _at_work(stage: Stage, name: str) -> str | None:
    with closing(sqlite3.connect(stage.home / "journal.db")) as journal:
        try:
            row = journal.execute("SELECT run_id FROM spans WHERE name = ? AND status = 'running'", [name]).fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None


HEARD = "{{ heard | regex('refund only half') }}"


async def test_a_message_reaches_the_lead_with_the_reports_of_its_workers(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    agents = {
        "lead": [delegate(("helper", "look")), answer(HEARD)],
        "helper": [call("get_ticket", ticket_id="t_1"), {"say": "looked", "delay_s": 3}],
    }
    assert await told(stage, agents, "helper") == {"answer": "refund only half"}


async def test_a_message_that_comes_late_gives_the_lead_another_turn(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    agents = {"lead": [{**answer("too early"), "delay_s": 3}, answer(HEARD)], "helper": [{"say": "never asked"}]}
    assert await told(stage, agents, "lead") == {"answer": "refund only half"}


@pytest.mark.parametrize("words", [["tell", "RUN", " "], ["tell", "RUN"]])
def test_an_empty_message_is_refused(case: Killed, words: list[str]) -> None:
    assert re.match("invalid|no_task|bad_task", said(case, *words)["error"]["code"])


@pytest.mark.real_cli
async def test_a_message_reaches_a_lead_with_the_result_of_its_own_tool(stage: Stage) -> None:
    stage.worker("lead", "get_ticket")
    agents = {
        "lead": [{**call("get_ticket", ticket_id="t_1"), "delay_s": 3}, answer(HEARD)],
    }
    assert await told(stage, agents, "lead") == {"answer": "refund only half"}


@pytest.mark.real_cli
def test_a_run_that_has_ended_gets_a_further_turn_with_all_that_its_lead_knows(case: Killed) -> None:
    first = case.finish(*case.begin("--yes"))
    run_id = str(first["run_id"])
    again = case.finish("follow", run_id, "And who approved it?", "--json")
    assert again["output"] == {"answer": "it was ok ok; asked: And who approved it?"}, again["error"]
    assert (again["run_id"], again["status"]) == (run_id, "ok")
    assert again["totals"]["turns"] == first["totals"]["turns"] + 1
    assert refunds_in(case.home / "billing.db") == [(CHARGE, 24500)]
    twice = case.finish("follow", run_id, "And who approved it?", "--json")
    assert (twice["status"], twice["output"]) == ("failed", again["output"]), "the script has no more turns"
    assert said(case, "follow", "run_none", "hello")["error"]["code"] == "unknown_run"


def test_a_run_at_work_is_told_and_not_followed(case: Killed) -> None:
    process, run_id, _ = begun(case)
    assert said(case, "follow", run_id, "hello")["error"]["code"] == "run_not_ended"
    case.kill(process)


async def test_one_watch_tells_each_run_its_own_events_once_in_whatever_order_they_are_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(connection: Connection, seq: int, run_id: str, kind: str) -> None:
        connection.execute(insert(STEERING).values(seq=seq, run_id=run_id, kind=kind, text=str(seq), at=now()))

    monkeypatch.setattr("flotilla_orchestrator.runs.steering._POLL_S", 0.01)
    async with await Journal.open(tmp_path) as journal, asyncio.timeout(10):
        watch = SteeringWatch(journal)
        async with watch.watched("run_a") as a, watch.watched("run_b") as b:
            for seq, run_id, kind in [(7, "run_a", "message"), (3, "run_a", "message"), (5, "run_b", "cancel")]:
                await journal.database.write(write, seq, run_id, kind)
                await asyncio.sleep(0.05)
            while not (b.cancelled and len(a.messages([])) == 2):  # noqa: ASYNC110  it is polled
                await asyncio.sleep(0.01)
            assert [event.text for event in a.messages([])] == ["7", "3"]
            assert not a.cancelled and not b.messages([])
