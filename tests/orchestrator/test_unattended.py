"""Runs whose process was killed: shown as what they are, with how to go on, by commands that disturb nobody."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from flotilla_orchestrator.durable.leases import LeaseTakenError, held_leases, lease
from support.processes import clean_environment
from support.proofs import FULL
from support.queued import Queued
from support.runs import Killed
from support.teller import CHARGE, refunds_in

pytestmark = pytest.mark.cli_double


DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(params=DATABASES)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where runs are kept."""
    return {} if request.param == "sqlite" else {"DATABASE_URL": str(request.getfixturevalue("postgres_url"))}


def only(case: Killed, *words: str) -> dict[str, Any]:
    (run,) = case.answer("runs", *words)["runs"]
    return run


def until_state(case: Killed, wanted: str) -> dict[str, Any]:
    """The only run, once it is in that state."""
    ends = time.monotonic() + 120
    while (run := only(case))["state"] != wanted:
        assert time.monotonic() < ends, run
        time.sleep(0.2)
    return run


@pytest.mark.real_cli
@pytest.mark.parametrize("environment", DATABASES if FULL else DATABASES[:1], indirect=True)
def test_a_run_whose_process_was_killed_is_interrupted_until_it_is_taken_up(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    case = Killed(tmp_path, environment)
    process, approval_id = case.waiting(*case.begin())
    assert only(case)["resume_command"] is None, "a process is at work on it"
    assert case.answer("show")["status"] == "running"
    case.kill(process)
    run_id = only(case)["run_id"]
    resume = f"flotilla resume {run_id}"
    waiting = only(case)
    assert (waiting["state"], waiting["resume_command"]) == ("waiting", resume), "a person has to decide first"
    case.decide("approve", approval_id)
    taken_up = case.start("resume", "--json", site="reported", nth=1)  # it dies with the reports in hand
    taken_up.communicate()
    stopped = only(case, "--state", "interrupted")
    assert (stopped["run_id"], stopped["resume_command"]) == (run_id, resume)
    assert case.answer("runs", "--state", "running")["runs"] == []
    shown, traced = case.answer("show", run_id), case.answer("trace", run_id)
    for record in (shown, traced):
        assert (record["status"], record["resume_command"]) == ("interrupted", resume)
        assert record["ended_at"] == stopped["ended_at"]
    assert all(span["ended_at"] for span in traced["spans"])
    assert "running" not in {span["status"] for span in traced["spans"]}
    assert only(case)["seconds"] == stopped["seconds"], "its time does not count on"
    ended = case.finish("resume", "--json")
    assert (ended["status"], ended["output"]) == ("ok", {"answer": "ok ok: succeeded"})
    assert environment or refunds_in(case.home / "billing.db") == [(CHARGE, 24500)]
    assert (only(case)["state"], only(case)["resume_command"]) == ("ok", None)


def test_people_are_told_how_to_go_on(tmp_path: Path) -> None:
    case = Killed(tmp_path)
    case.start(*case.begin(), site="workers_started", nth=1).communicate()
    run_id = only(case)["run_id"]
    resume = f"flotilla resume {run_id}"
    said = case.start("runs").communicate()[0]
    assert "■ interrupted" in said
    assert resume in said
    for words in (("show",), ("trace",), ("trace", "--html", "-")):
        said = case.start(*words).communicate()[0].rpartition("</style>")[2]
        assert "interrupted" in said
        assert resume in said
        assert "running" not in said, words
    refused = case.answer("follow", run_id, "And then?")["error"]
    assert (refused["code"], refused["message"]) == ("run_not_ended", f"{run_id} has not ended: interrupted.")


@pytest.mark.parametrize("environment", DATABASES if FULL else DATABASES[1:], indirect=True)
def test_a_queued_run_is_interrupted_while_its_worker_is_dead(tmp_path: Path, environment: dict[str, str]) -> None:
    case = Queued(tmp_path, environment)
    case.add_approver()
    run_id = case.order("pay", "--input", "amount=100")
    assert (only(case)["state"], only(case)["resume_command"]) == ("queued", None)
    case.start("work", *case.where, site="part_begins", nth=1).communicate()
    stopped = only(case, "--state", "interrupted")
    assert stopped["resume_command"] == case.answer("show", run_id)["resume_command"] == "flotilla work"
    assert only(case)["seconds"] == stopped["seconds"], "its time does not count on"
    worker = case.worker()
    assert until_state(case, "waiting")["resume_command"] is None, "the worker that is at work goes on with it"
    case.kill(worker)
    assert (only(case)["state"], only(case)["resume_command"]) == ("waiting", "flotilla work")
    case.approve(run_id)
    case.until_idle()
    assert case.states() == {run_id: "ok"}


def test_a_killed_run_is_forgotten_once_it_is_old(tmp_path: Path) -> None:
    case = Killed(tmp_path)
    case.start(*case.begin(), site="workers_started", nth=1).communicate()
    run_id = only(case)["run_id"]
    assert case.answer("runs", "--prune", "--older-than", "1h")["run_ids"] == []
    with closing(sqlite3.connect(case.home / "journal.db")) as file, file:
        file.execute("UPDATE runs SET started_at = '2020' || substr(started_at, 5)")
        file.execute("UPDATE spans SET started_at = '2020' || substr(started_at, 5), ended_at = NULL")
    assert case.answer("runs", "--prune", "--older-than", "1h")["run_ids"] == [run_id]
    assert case.answer("runs")["runs"] == []


def test_looking_at_leases_keeps_nobody_from_taking_one(tmp_path: Path, environment: dict[str, str]) -> None:
    url, over = environment.get("DATABASE_URL", "sqlite:///engine.db"), Event()

    def look() -> None:
        while not over.is_set():
            held_leases(tmp_path, url, ["run_1", "run_2"])

    lookers = [Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(100):
            with lease(tmp_path, url, "run_1"):
                assert held_leases(tmp_path, url, ["run_1", "run_2"]) == {"run_1"}
                with pytest.raises(LeaseTakenError), lease(tmp_path, url, "run_1"):
                    raise AssertionError("it is taken")
    finally:
        over.set()
        for looker in lookers:
            looker.join()
    assert held_leases(tmp_path, url, ["run_1"]) == set()


def test_looking_at_runs_loads_neither_the_engine_nor_the_sdk(tmp_path: Path) -> None:
    case = Killed(tmp_path)
    case.start(*case.begin(), site="workers_started", nth=1).communicate()
    code = "import sys; from flotilla_orchestrator.__main__ import main; main(['runs'])"
    code += "; print([name for name in ('dbos', 'claude_agent_sdk', 'mcp') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(case.home), capture_output=True, text=True, check=True
    )
    assert "interrupted" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
