"""What runs have used day by day, on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flotilla_orchestrator.journal.daily import Day, daily
from flotilla_orchestrator.journal.journal import Journal, Run, Span


async def test_days_have_the_runs_that_began_on_them_and_days_without_any_are_there(
    tmp_path: Path, database_url: str
) -> None:
    now = datetime.now(UTC)
    async with await Journal.open(tmp_path, url=database_url) as journal:
        for number, (days_ago, playbook, status) in enumerate(
            [(0, "case", "ok"), (0, "case", "failed"), (0, "other", "ok"), (2, "case", "ok"), (9, "case", "ok")]
        ):
            began = (now - timedelta(days=days_ago)).isoformat(timespec="milliseconds")
            run = Run(f"run_{number}", playbook, "claude", "Do it.", {}, started_at=began)
            await journal.begin_run(run)
            session = Span(run.run_id, None, "session", "lead", {}, started_at=began, turns=3, cost_usd=0.5)
            delegated = Span(run.run_id, session.span_id, "delegate", "give", {}, started_at=began)
            called = Span(run.run_id, session.span_id, "tool", "look", {"tool": "mcp__desk__look"}, started_at=began)
            unpriced = Span(run.run_id, None, "session", "helper", {}, started_at=began, turns=1)
            for span in (session, delegated, called, unpriced):
                await journal.begin(span)
            run.status = "ok" if status == "ok" else "failed"
            await journal.end_run(run)
        found = await journal.query(daily, 3, "case")
        everything = await journal.query(daily, 3, None)
    days = [(now - timedelta(days=days_ago)).date().isoformat() for days_ago in (2, 1, 0)]
    assert found == [
        Day(days[0], runs=1, ok=1, calls=1, handoffs=1, turns=4, cost_usd=0.5),
        Day(days[1]),
        Day(days[2], runs=2, ok=1, failed=1, calls=2, handoffs=2, turns=8, cost_usd=1.0),
    ]
    assert [day.runs for day in everything] == [1, 0, 3]
