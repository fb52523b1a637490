"""`flotilla runs` and `flotilla stats`: what there was, what it took, and forgetting it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.storage import Database
from flotilla_orchestrator.journal.journal import MIGRATIONS, Journal, Run, Span, Status
from flotilla_orchestrator.journal.stats import stats
from support.commands import flotilla

PENDING = {"approval_id": "apr_1", "of": "245.00 USD", "state": "pending", "by": None}


def ago(days: float, later: float = 0) -> str:
    """A moment so many days ago, and so many seconds later."""
    return (datetime.now(UTC) - timedelta(days=days, seconds=-later)).isoformat(timespec="milliseconds")


async def tell_run(
    journal: Journal, run_id: str, status: Status = "ok", *, days: float = 1, took: float = 10, **more: Any
) -> None:
    """A run that began so many days ago, as the journal has it."""
    ended = None if status == "running" else ago(days, took)
    fields: dict[str, Any] = {"playbook": "case", "model": "claude", "task": "x", "inputs": {}, **more}
    run = Run(run_id, started_at=ago(days), **fields)
    await journal.begin_run(run)
    run.status = status
    if ended:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flotilla_orchestrator.journal.journal.now", lambda: ended)
            await journal.end_run(run)


async def tell_session(journal: Journal, run_id: str, worker: str, status: Status = "ok", **used: Any) -> None:
    span = Span(run_id, None, "session", worker, {"task": "x"}, started_at=ago(1), status=status, **used)
    span.ended_at = ago(1, 2)
    await journal.begin(span)


async def tell_calls(
    journal: Journal, run_id: str, tool: str, seconds: Sequence[float], status: Status = "ok", **attributes: Any
) -> None:
    for each in seconds:
        given: dict[str, Any] = {"tool": f"mcp__desk__{tool}", "arguments": {}, **attributes}
        start = datetime.now(UTC)
        ended = None if status == "waiting" else (start + timedelta(seconds=each)).isoformat(timespec="milliseconds")
        started = start.isoformat(timespec="milliseconds")
        await journal.begin(Span(run_id, None, "tool", tool, given, started_at=started, ended_at=ended, status=status))


async def counted(url: str, days: float | None = None, playbook: str | None = None) -> dict[str, Any]:
    async with Journal(await Database.open(url, [MIGRATIONS])) as journal:
        return await journal.query(stats, days, playbook)


@pytest.fixture
async def told(database_url: str) -> str:
    """Three playbooks' runs with their sessions and calls."""
    async with Journal(await Database.open(database_url, [MIGRATIONS])) as journal:
        await tell_run(journal, "run_1", took=10)
        await tell_run(journal, "run_2", "failed", took=20)
        await tell_run(journal, "run_3", model="rehearsal", took=30)
        await tell_run(journal, "run_4", "interrupted", playbook="other", days=9)
        await tell_run(journal, "run_5", "running", playbook="other")
        await tell_session(journal, "run_1", "lead", turns=5, input_tokens=100, output_tokens=10, cost_usd=0.5)
        await tell_session(journal, "run_2", "lead", "failed", turns=2, input_tokens=50, output_tokens=5)
        await tell_session(journal, "run_3", "lead", turns=1, cost_usd=0.25)
        await tell_calls(journal, "run_1", "find", [step / 10 for step in range(1, 20)])
        await tell_calls(journal, "run_2", "find", [9], "failed")
        await tell_calls(journal, "run_4", "find", [50], "denied", error="bound_exceeded")
        approval = {"approval_id": "a", "of": "x", "by": "ada"}
        await tell_calls(journal, "run_1", "refund", [99], approval=approval | {"state": "approved"})
        await tell_calls(journal, "run_1", "refund", [99], "denied", approval=approval | {"state": "rejected"})
        await tell_calls(journal, "run_5", "refund", [1], "waiting", approval=PENDING)
    return database_url


async def test_playbooks_have_their_success_duration_and_cost(told: str) -> None:
    case, other = (await counted(told))["runs"]
    assert (case["playbook"], case["count"], case["ok"], case["failed"]) == ("case", 3, 2, 1)
    assert case["success_rate"] == pytest.approx(2 / 3, abs=1e-6)
    assert (case["p50_s"], case["p95_s"]) == (pytest.approx(20, abs=0.01), pytest.approx(30, abs=0.01))
    assert (case["cost_usd"], case["spent_usd"]) == (0.75, 0.5), "a rehearsal spends nothing"
    assert (other["count"], other["success_rate"], other["p50_s"], other["cost_usd"]) == (2, None, None, None)


async def test_workers_have_their_turns_tokens_and_cost(told: str) -> None:
    (lead,) = (await counted(told))["sessions"]
    assert (lead["worker"], lead["count"], lead["turns"]) == ("lead", 3, 8)
    assert (lead["input_tokens"], lead["output_tokens"], lead["cost_usd"]) == (150, 15, 0.75)


async def test_tools_have_their_calls_success_and_latency_without_what_never_ran_or_waited(told: str) -> None:
    find, refund = (await counted(told))["calls"]
    assert (find["tool"], find["count"], find["ok"], find["failed"], find["denied"]) == (
        "mcp__desk__find",
        21,
        19,
        1,
        1,
    )
    assert find["success_rate"] == 0.95
    assert (find["p50_s"], find["p95_s"]) == (pytest.approx(1.0, abs=0.002), pytest.approx(1.9, abs=0.002))
    assert (refund["count"], refund["success_rate"], refund["p50_s"]) == (3, 1.0, None)


async def test_approvals_are_counted_by_what_became_of_them(told: str) -> None:
    assert (await counted(told))["approvals"] == {"approved": 1, "pending": 1, "rejected": 1}


async def test_stats_can_be_of_the_last_days_or_of_one_playbook(told: str) -> None:
    recent = await counted(told, days=3)
    assert [(row["playbook"], row["count"]) for row in recent["runs"]] == [("case", 3), ("other", 1)]
    assert recent["calls"][0]["denied"] == 0, "that one was nine days ago"
    other = await counted(told, playbook="other")
    assert [row["playbook"] for row in other["runs"]] == ["other"]
    assert other["sessions"] == []
    assert other["approvals"] == {"pending": 1}


async def test_stats_of_nothing_are_empty(database_url: str, tmp_path: Path) -> None:
    empty = await counted(database_url, days=1, playbook="none")
    assert (empty["runs"], empty["sessions"], empty["calls"], empty["approvals"]) == ([], [], [], {})
    assert flotilla(tmp_path / "nothing", "stats").stdout == "No runs.\n"
    assert json.loads(flotilla(tmp_path / "nothing", "runs", "--json").stdout) == {"runs": []}


async def test_stats_are_told_to_people(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        await tell_run(journal, "run_1")
        await tell_session(journal, "run_1", "lead", turns=5, input_tokens=100, output_tokens=10, cost_usd=0.5)
        await tell_calls(journal, "run_1", "find", [0.2])
    said = flotilla(tmp_path, "stats", "--days", "3").stdout
    for part in ("desk · find", "100 → 10", "$0.5000", "100%", "200 ms", "approvals: none asked for"):
        assert part in said


async def tell_history(home: Path) -> None:
    runs: list[tuple[str, Status, int]] = [
        ("run_old", "ok", 40),
        ("run_older", "failed", 50),
        ("run_new", "ok", 2),
        ("run_stuck", "running", 60),
        ("run_waits", "running", 45),
    ]
    async with await Journal.open(home) as journal:
        for run_id, status, days in runs:
            await tell_run(journal, run_id, status, days=days)
            await tell_session(journal, run_id, "lead", turns=5, cost_usd=0.5)
            (home / "runs" / run_id / "claude").mkdir(parents=True)
            (home / "runs" / run_id / "claude" / "transcript.jsonl").write_text("{}")
        await tell_calls(journal, "run_waits", "refund", [1], "waiting", approval=PENDING)


def listed(home: Path, *arguments: str) -> list[dict[str, Any]]:
    return json.loads(flotilla(home, "runs", *arguments, "--json").stdout)["runs"]


async def test_runs_are_listed_newest_first_with_what_they_took_and_wait_for(tmp_path: Path) -> None:
    await tell_history(tmp_path)
    runs = listed(tmp_path)
    assert [run["run_id"] for run in runs] == ["run_new", "run_old", "run_waits", "run_older", "run_stuck"]
    assert {key: runs[0][key] for key in ("playbook", "state", "agents", "turns", "cost_usd")} == {
        "playbook": "case", "state": "ok", "agents": 1, "turns": 5, "cost_usd": 0.5,
    }  # fmt: skip
    assert runs[0]["seconds"] == pytest.approx(10, abs=0.01)
    assert runs[2]["waits_for"] == [{"tool": "refund", "of": "245.00 USD", "approval_id": "apr_1"}]
    said = flotilla(tmp_path, "runs").stdout
    assert "? waiting" in said
    assert "refund: 245.00 USD (apr_1)" in said


async def test_runs_can_be_of_one_state_and_the_newest_few(tmp_path: Path) -> None:
    await tell_history(tmp_path)
    assert [run["run_id"] for run in listed(tmp_path, "--state", "waiting")] == ["run_waits"]
    assert [run["run_id"] for run in listed(tmp_path, "--state", "running")] == ["run_stuck"]
    assert [run["run_id"] for run in listed(tmp_path, "--state", "ok", "--limit", "1")] == ["run_new"]
    assert flotilla(tmp_path, "runs", "--state", "interrupted").stdout == "No runs.\n"


async def test_prune_forgets_rows_and_folders_of_runs_that_ended_long_ago(tmp_path: Path) -> None:
    await tell_history(tmp_path)
    pruned = json.loads(flotilla(tmp_path, "runs", "--prune", "--json").stdout)
    assert pruned == {"run_ids": ["run_older", "run_old"], "dry_run": False}
    assert {run["run_id"] for run in listed(tmp_path)} == {"run_new", "run_stuck", "run_waits"}
    assert {folder.name for folder in (tmp_path / "runs").iterdir()} == {"run_new", "run_stuck", "run_waits"}
    assert flotilla(tmp_path, "trace", "run_old").returncode == 2
    assert json.loads(flotilla(tmp_path, "stats", "--json").stdout)["sessions"][0]["count"] == 3


async def test_prune_takes_its_age_from_the_flag_else_from_the_fleet(tmp_path: Path) -> None:
    await tell_history(tmp_path)
    configs = tmp_path / "configs"
    (configs / "playbooks").mkdir(parents=True)
    (configs / "workers").mkdir()
    (configs / "fleet.yaml").write_text("servers: {}\nlimits: {transcripts_days: 45}\n")
    dry = json.loads(flotilla(tmp_path, "runs", "--prune", "--dry-run", "--configs", configs, "--json").stdout)
    assert dry == {"run_ids": ["run_older"], "dry_run": True}
    every = flotilla(tmp_path, "runs", "--prune", "--older-than", "12h", "--dry-run").stdout
    assert every.split()[:3] == ["run_older", "run_old", "run_new"]
    assert len(listed(tmp_path)) == 5, "nothing was removed"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--prune", "--older-than", "soon"], "invalid_age"),
        (["--older-than", "3d"], "invalid_arguments"),
        (["--dry-run"], "invalid_arguments"),
        (["--prune", "--state", "ok"], "invalid_arguments"),
    ],
)
def test_wrong_flags_of_prune_remove_nothing(tmp_path: Path, arguments: list[str], code: str) -> None:
    done = flotilla(tmp_path, "runs", *arguments, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, code)
    assert not (tmp_path / "journal.db").exists()


def test_a_limit_is_a_whole_number_above_nothing(tmp_path: Path) -> None:
    for wrong in ("0", "-1", "many", "1.5"):
        done = flotilla(tmp_path, "runs", "--limit", wrong)
        assert done.returncode == 2
        assert "--limit" in done.stderr
