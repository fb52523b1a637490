"""A worker starts while the answer by which it is delegated to is still on its way, if it is certain to be used."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_orchestrator.journal.ledger import Ledger
from flotilla_orchestrator.sessions.session import run_session
from flotilla_orchestrator.sessions.types import CallObserver, Session, SessionResult
from support.commands import Watched
from support.runs import Killed
from support.stage import Played, Stage, answer, call, delegate
from support.teller import CHARGE, refunds_in

REPORTS = answer("{{ results.delegate.reports | map(attribute='report') | join }}")
HELPER = [call("get_ticket", ticket_id="t_1"), {"say": "{{ task }}"}]
SLOWLY = {"stream_s": 3}
LIMITS = {"max_turns": 200, "budget_usd": 10}  # eight helpers could use all that their own limits allow


@pytest.fixture
def case(stage: Stage) -> Stage:
    """A lead with a helper."""
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    stage.playbook["limits"] = LIMITS
    return stage


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The sessions of a run in the order of their starts."""
    found = list[Session]()

    async def noted(session: Session, observer: CallObserver, prompt: Any) -> SessionResult:
        found.append(session)
        return await run_session(session, observer, prompt)

    monkeypatch.setattr("flotilla_orchestrator.runs.live_session.run_session", noted)
    return found


def early(started: list[Session]) -> int:
    """How many sessions were started before they had their task."""
    return sum(not session.prompt for session in started)


async def test_workers_that_started_early_get_their_own_tasks_and_tools(case: Stage, started: list[Session]) -> None:
    turn = {**delegate(("helper", "one "), ("helper", "two ")), **SLOWLY}
    played = await case.play({"lead": [turn, REPORTS], "helper": HELPER})
    assert played.run.output == {"answer": "one two "}, played.run.error
    assert early(started) == 2
    assert len(started) == 3
    assert {tool for asked in played.requests if asked.agent == "helper" for tool in asked.tools} == {
        "mcp__desk__get_ticket"
    }
    assert sorted(str(span.attributes["task"]) for span in played.spans if span.name == "helper") == ["one ", "two "]
    assert all(played.ledger[span.span_id].active_s for span in played.spans if span.name == "helper")


async def test_where_the_run_may_have_too_little_for_eight_none_starts_early(
    case: Stage, started: list[Session]
) -> None:
    case.playbook["limits"] = {"max_turns": 12 + 8 * 12 - 1, "budget_usd": 10}
    played = await case.play({"lead": [{**delegate(("helper", "one ")), **SLOWLY}, REPORTS], "helper": HELPER})
    assert played.run.output == {"answer": "one "}, played.run.error
    assert early(started) == 0


async def test_one_that_may_use_less_than_it_was_started_with_starts_anew(
    case: Stage, started: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def foreseen(*_: object) -> bool:
        return True

    monkeypatch.setattr(Ledger, "allows", foreseen)
    case.playbook["limits"] = {"max_turns": 12 + 5, "budget_usd": 10}
    played = await case.play({"lead": [{**delegate(("helper", "one ")), **SLOWLY}, REPORTS], "helper": HELPER})
    assert played.run.output == {"answer": "one "}, played.run.error
    assert [(bool(session.prompt), session.max_turns) for session in started[1:]] == [(False, 12), (True, 5)]
    assert [asked.answer for asked in played.requests if asked.agent == "helper"] == ["turn 1", "turn 2"]


async def test_a_lead_under_a_lead_is_not_started_early(case: Stage, started: list[Session]) -> None:
    case.worker("lead", delegates=["manager"])
    case.worker("manager", delegates=["helper"])
    case.fleet["limits"]["delegation_depth"] = 2
    turns = [{**delegate(("manager", "one ")), **SLOWLY}, REPORTS]
    below = [delegate(("helper", "two ")), {"say": "{{ results.delegate.reports[0].report }}"}]
    played = await case.play({"lead": turns, "manager": below, "helper": HELPER})
    assert played.run.output == {"answer": "two "}, played.run.error
    assert all(session.prompt for session in started if session.agent == "manager")


async def test_without_a_free_slot_none_starts_early(case: Stage, started: list[Session]) -> None:
    case.fleet["concurrency"] = 2
    turn = {**delegate(("helper", "one "), ("helper", "two ")), **SLOWLY}
    played = await case.play({"lead": [turn, REPORTS], "helper": HELPER})
    assert played.run.output == {"answer": "one two "}, played.run.error
    assert early(started) == 1


async def test_a_worker_that_its_lead_does_not_have_is_not_started(case: Stage, started: list[Session]) -> None:
    case.worker("stranger", "get_ticket")
    refused = answer("{{ errors.delegate.code }}")
    played = await case.play({"lead": [{**delegate(("stranger", "one ")), **SLOWLY}, refused]})
    assert played.run.output == {"answer": "unknown_worker"}, played.run.error
    assert [session.agent for session in started] == ["lead"]


async def test_one_whose_call_is_refused_ends_unasked_and_leaves_nothing(case: Stage, started: list[Session]) -> None:
    case.worker("stranger", "get_ticket")
    turn = {**delegate(("helper", "one "), ("stranger", "two ")), **SLOWLY}
    played = await case.play({"lead": [turn, answer("{{ errors.delegate.code }}")], "helper": HELPER})
    assert played.run.output == {"answer": "unknown_worker"}, played.run.error
    assert early(started) == 1
    _assert_only_the_lead(case, played, started)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_process_that_is_killed_with_early_workers_leaves_nothing_of_them(tmp_path: Path, nth: int) -> None:
    killed = Killed(tmp_path, session_wait_s=60)
    _change(killed.configs / "playbooks/case.yaml", lambda case: case.update(limits=LIMITS))
    _change(killed.configs / "rehearsals/case.yaml", lambda case: case["agents"]["lead"][0]["turns"][0].update(SLOWLY))
    process = killed.start(*killed.begin("--yes"), site="early_started", nth=nth)
    _, err = process.communicate()
    assert process.returncode == -9, err
    assert Watched(killed.at_work()).alive_after(15) == []
    assert [span["name"] for span in killed.trace() if span["kind"] == "session"] == ["lead"]
    killed.forget_claude()
    ended = killed.finish("resume", "--json")
    assert (ended["status"], ended["output"]) == ("ok", {"answer": "ok ok: succeeded"})
    assert refunds_in(killed.home / "billing.db") == [(CHARGE, 24500)]
    assert sorted(span["name"] for span in killed.trace() if span["kind"] == "session") == ["clerk", "lead", "reader"]
    assert ended["ledger"]["used"]["lost_turns"] == 1
    assert Watched(killed.at_work()).alive_after(15) == []


def _change(file: Path, change: Callable[[Any], None]) -> None:
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))


def _assert_only_the_lead(case: Stage, played: Played, started: list[Session]) -> None:
    (helper,) = [session for session in started if session.agent == "helper"]
    assert {request.agent for request in played.requests} == {"lead"}
    assert [span.name for span in played.spans if span.kind == "session"] == ["lead"]
    assert len(played.ledger) == 2, "of the run and its lead"
    with closing(sqlite3.connect(case.home / "engine.db")) as store:
        assert store.execute("SELECT count(*) FROM workflow_status WHERE name = 'session'").fetchone() == (1,)
    with closing(sqlite3.connect(case.home / "journal.db")) as journal:
        sessions = journal.execute("SELECT DISTINCT session_id FROM transcripts").fetchall()
    assert (helper.session_id,) not in sessions
