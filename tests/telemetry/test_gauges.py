"""How things stand, as the journal says it on both databases."""

from pathlib import Path

from flotilla_orchestrator.journal.gauges import read_gauges
from flotilla_orchestrator.journal.journal import Journal, Run, Span, Status


async def test_runs_are_counted_by_state_and_what_waits_by_age(tmp_path: Path, database_url: str) -> None:
    async with await Journal.open(tmp_path, url=database_url) as journal:
        statuses: list[Status] = ["ok", "failed", "interrupted", "running"]
        for number, status in enumerate(statuses):
            run = Run(f"run_{number}", "case", "rehearsal", "Do it.", {})
            await journal.begin_run(run)
            if status != "running":
                run.status = status
                await journal.end_run(run)
        asked = ["2026-11-28T10:00:00.000+00:00", "2026-11-28T09:00:00.000+00:00", "2026-11-01T09:00:00.000+00:00"]
        for run_id, asked_at in zip(["run_3", "run_3", "run_0"], asked, strict=True):
            span = Span(
                run_id,
                None,
                "tool",
                "pay",
                {"tool": "mcp__till__pay", "approval": {"approval_id": asked_at, "asked_at": asked_at}},
                status="waiting",
            )
            await journal.begin(span)
            span.status = "waiting"
            await journal.change(span)
        found = await journal.query(read_gauges)
    assert found.runs == {"queued": 0, "running": 0, "waiting": 1, "paused": 0, "interrupted": 1}
    assert (found.waiting, found.oldest) == (2, asked[1]), "those of a run that has ended wait no more"
