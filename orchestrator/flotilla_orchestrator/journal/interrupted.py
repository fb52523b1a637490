"""Runs whose process was killed: nobody has recorded their end, so it is the last that was recorded of them."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from .journal import RUNS, SPANS, Run, Span
from .ledger import seconds_at_work


def unended_runs(connection: Connection) -> dict[str, str]:
    """The playbook of each run that is recorded as running, or as interrupted."""
    query = select(RUNS.c.run_id, RUNS.c.playbook).where(RUNS.c.status.in_(["running", "interrupted"]))
    return {run.run_id: run.playbook for run in connection.execute(query)}


def stop_times(connection: Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Of those of these runs that are recorded as running: when something of each was recorded last."""
    query = (
        select(RUNS.c.run_id, RUNS.c.started_at, func.max(SPANS.c.started_at), func.max(SPANS.c.ended_at))
        .outerjoin(SPANS, SPANS.c.run_id == RUNS.c.run_id)
        .where(RUNS.c.run_id.in_(run_ids), RUNS.c.status == "running")
        .group_by(RUNS.c.run_id, RUNS.c.started_at)
    )
    worked = seconds_at_work(connection, run_ids)
    return {
        run_id: max([_later(begun, worked.get(run_id, 0)), *filter(None, moments)])
        for run_id, begun, *moments in connection.execute(query)
    }


def as_stopped(run: Run, spans: list[Span], moment: str) -> tuple[Run, list[Span]]:
    """A run and its spans as they are when no process is at work on it since that moment.

    A call that waits for a person still does.
    """
    stopped = [
        span if span.ended_at or span.status == "waiting" else replace(span, status="interrupted", ended_at=moment)
        for span in spans
    ]
    return replace(run, status="interrupted", ended_at=moment), stopped


def _later(moment: str, seconds: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
