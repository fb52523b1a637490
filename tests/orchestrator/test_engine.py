"""A run outlives its process: what another process finds is all that it needs to go on."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from claude_agent_sdk.testing import run_session_store_conformance
from flotilla_kit.storage import Database
from flotilla_orchestrator.journal.journal import MIGRATIONS
from flotilla_orchestrator.sessions.transcript_store import TranscriptStore
from support.commands import Watched, descendants
from support.runs import Killed
from support.teller import CHARGE, refunds_in

pytestmark = pytest.mark.cli_double


@pytest.fixture
def case(tmp_path: Path) -> Killed:
    return Killed(tmp_path)


async def test_transcripts_keep_what_the_sdk_asks_of_a_store(database_url: str) -> None:
    opened: list[Database] = []

    async def fresh() -> TranscriptStore:
        database = await Database.open(database_url, [MIGRATIONS])
        await database.write(lambda connection: connection.exec_driver_sql("DELETE FROM transcripts"))
        opened.append(database)
        return TranscriptStore(database)  # pyright: ignore[reportAbstractUsage]  # the method it lacks is optional

    try:
        await run_session_store_conformance(fresh, skip_optional=frozenset({"list_session_summaries"}))
    finally:
        for database in opened:
            await database.close()


def paid(case: Killed) -> list[tuple[str, int]]:
    return refunds_in(case.home / "billing.db")


@pytest.mark.real_cli
def test_a_run_killed_while_it_waits_goes_on_in_another_process(case: Killed) -> None:
    process, approval_id = case.waiting(*case.begin())
    case.kill(process)
    case.forget_claude()
    assert json.loads(case.start("show", "--json").communicate()[0])["status"] == "interrupted"
    case.decide("approve", approval_id)
    ended = case.finish("resume", "--json")
    assert (ended["status"], ended["output"]) == ("ok", {"answer": "ok ok: succeeded"})
    assert paid(case) == [(CHARGE, 24500)]
    sessions = [span for span in case.trace() if span["kind"] != "tool"]  # a read may have been cut off, and made again
    assert {span["status"] for span in sessions} == {"ok"}


def test_a_run_that_another_version_began_is_refused_and_can_be_ended(case: Killed) -> None:
    process, _ = case.waiting(*case.begin())
    case.kill(process)
    with closing(sqlite3.connect(case.home / "engine.db")) as file, file:
        file.execute("UPDATE workflow_status SET application_version = '0.' || application_version")
    assert case.answer("resume")["error"]["code"] == "other_version"
    (run,) = case.answer("runs")["runs"]
    assert case.answer("cancel", run["run_id"])["state"] == "cancelled"


def test_a_denial_after_the_restart_reaches_the_worker(case: Killed) -> None:
    process, approval_id = case.waiting(*case.begin())
    case.kill(process)
    case.decide("reject", approval_id, "--reason", "the invoice is disputed")
    ended = case.finish("resume", "--json")
    assert "the invoice is disputed" in ended["output"]["answer"]
    assert paid(case) == []


def test_an_approval_that_expires_while_nobody_is_there_ends_clearly(tmp_path: Path) -> None:
    case = Killed(tmp_path, None, "--approval-expires-hours", "0.0003")  # a second
    process, _ = case.waiting(*case.begin())
    case.kill(process)
    ended = case.finish("resume", "--json")
    assert "approval_expired" in ended["output"]["answer"]
    assert paid(case) == []


def test_an_interrupted_run_is_resumed_from_where_it_was(case: Killed) -> None:
    process, approval_id = case.waiting(*case.begin())
    watched = Watched(descendants(process.pid))
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert watched.alive_after(15) == []
    case.decide("approve", approval_id)
    ended = case.finish("resume", "last", "--json")
    assert ended["output"] == {"answer": "ok ok: succeeded"}
    ledger = ended["ledger"]
    assert {agent["worker"] for agent in ledger["agents"]} == {"lead", "clerk", "reader"}
    assert ledger["used"]["turns"] == ended["totals"]["turns"] == 8
    assert ledger["used"]["cost_usd"] == pytest.approx(ended["totals"]["cost_usd"])
    assert 0 < ledger["used"]["wall_clock_s"] < ended["totals"]["seconds"]
    assert ledger["allowed"] == {"max_turns": 25, "budget_usd": 1, "wall_clock_s": 300}
    assert paid(case) == [(CHARGE, 24500)]


def test_a_run_at_work_cannot_be_taken_up_by_a_second_process(case: Killed) -> None:
    process, _ = case.waiting(*case.begin())
    second = case.start("resume", "--json")
    assert json.loads(second.communicate()[0])["error"]["code"] == "run_active"
    case.kill(process)


def test_a_run_that_has_ended_is_not_resumed(case: Killed) -> None:
    assert case.finish(*case.begin("--yes"))["status"] == "ok"
    again = case.start("resume", "--json")
    assert json.loads(again.communicate()[0])["error"]["code"] == "run_ended"
    assert again.returncode == 2
