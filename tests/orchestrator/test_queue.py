"""Runs in the shared queue: listed, worked on by whoever is at work, and left whole by whoever stops."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support.commands import Watched
from support.processes import BIN
from support.queued import Queued
from support.teller import CHARGE, refunds_in

pytestmark = pytest.mark.cli_double


@pytest.fixture
def case(tmp_path: Path) -> Queued:
    return Queued(tmp_path)


@pytest.mark.real_cli
def test_a_queued_run_is_listed_and_then_worked_on(case: Queued) -> None:
    refused = case.answer("run", "look", "Look.", "--rehearse", "--queue", *case.where)
    assert refused["error"]["code"] == "invalid_input"
    run_id = case.order("look", "--input", "amount=1")
    assert case.states() == {run_id: "queued"}
    assert case.answer("runs", "--state", "queued")["runs"][0]["run_id"] == run_id
    assert case.until_idle() == {"executor_id": "local", "stopped": False, "waiting": []}
    assert case.answer("show", run_id)["output"] == {"answer": "looked"}


def test_a_worker_that_is_stopped_leaves_its_runs_to_the_next_one(case: Queued) -> None:
    case.add_approver()
    run_id = case.order("pay", "--input", "amount=100")
    assert case.until_idle()["waiting"] == [run_id]
    assert Watched(case.at_work()).alive_after(15) == []
    first = case.worker()
    try:
        assert case.answer("work", *case.where)["error"]["code"] == "executor_active"
        assert case.answer("resume", run_id)["error"]["code"] == "run_queued"
    finally:
        first.send_signal(signal.SIGTERM)
    assert "stopped" in first.communicate()[0]
    assert first.returncode == 0
    assert Watched(case.at_work()).alive_after(15) == []
    case.approve(run_id)
    assert case.until_idle()["waiting"] == []
    assert case.states() == {run_id: "ok"}
    assert refunds_in(case.home / "billing.db") == [(CHARGE, 100)]


@pytest.mark.parametrize("site", ["run_written", "run_queued"])
def test_a_run_of_a_command_that_was_killed_before_it_was_queued_is_worked_on_once(case: Queued, site: str) -> None:
    killed = case.start(
        "run", "look", "Look.", "--rehearse", "--queue", "--input", "amount=1", *case.where, site=site, nth=1
    )
    assert (killed.communicate()[0], killed.returncode) == ("", -9)
    [(run_id, state)] = case.states().items()
    assert state == "queued"
    assert case.answer("resume", run_id)["error"]["code"] == "run_queued"
    assert case.until_idle()["waiting"] == []
    assert case.states() == {run_id: "ok"}
    assert [span["kind"] for span in case.answer("trace", run_id)["spans"]] == ["run", "session", "tool"]


def test_a_run_that_was_cancelled_before_it_was_queued_never_begins(case: Queued) -> None:
    words = ["run", "look", "Look.", "--rehearse", "--queue", "--input", "amount=1", *case.where]
    case.start(*words, site="run_written", nth=1).communicate()
    [run_id] = case.states()
    case.answer("cancel", run_id)
    case.until_idle()
    assert case.states() == {run_id: "cancelled"}
    assert all(span["turns"] == 0 for span in case.answer("trace", run_id)["spans"])


def test_an_order_with_another_config_folder_fails_clearly(case: Queued, tmp_path: Path) -> None:
    run_id = case.order("look", "--input", "amount=1")
    ours, case.configs = case.configs, tmp_path / "other"
    shutil.copytree(ours, case.configs)
    case.until_idle()
    error = case.answer("show", run_id)["error"]
    assert error["code"] == "other_config"
    assert str(ours) in error["message"]


def test_a_run_in_the_queue_cannot_be_recorded(case: Queued) -> None:
    where = [*case.where, "--input", "amount=1", "--record", "script.yaml"]
    refused = case.answer("run", "look", "Look.", "--rehearse", "--queue", *where)
    assert refused["error"]["code"] == "invalid_arguments"


def test_without_a_name_of_its_own_shape_no_worker_starts(case: Queued) -> None:
    case.environment["FLOTILLA_EXECUTOR_ID"] = "../elsewhere"
    assert case.answer("work", *case.where)["error"]["code"] == "invalid_arguments"


@pytest.mark.real_cli
def test_the_command_itself_knows_what_the_queue_holds(case: Queued) -> None:
    """Other tests fork it from a process that has imported all of Flotilla."""
    run_id = case.order("look", "--input", "amount=1")
    command = [BIN / "flotilla", "work", "--until-idle", *case.where]
    done = subprocess.run(command, env=case.environment, cwd=case.home, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert case.states() == {run_id: "ok"}


def test_runs_of_high_priority_begin_before_those_of_low(case: Queued) -> None:
    refused = case.answer(
        "run", "look", "Look.", "--rehearse", "--priority", "high", "--input", "amount=1", *case.where
    )
    assert refused["error"]["code"] == "invalid_arguments"
    low = [case.order("look", "--input", "amount=1", "--priority", "low") for _ in range(4)]
    for _ in range(4):
        case.order("look", "--input", "amount=1", "--priority", "high")
    case.until_idle("--concurrency", "1")
    ended = {run["run_id"]: run["ended_at"] for run in case.answer("runs")["runs"]}
    first_to_last = sorted(ended, key=lambda run_id: ended[run_id])
    assert set(first_to_last[-3:]) < set(low), "but for what began before the others were there"
