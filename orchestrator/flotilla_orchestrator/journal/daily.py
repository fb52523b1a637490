"""What runs have used day by day, computed by the database; days are of UTC, by when a run began."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from .journal import RUNS, SPANS


@dataclass(frozen=True)
class Day:
    """A day, and the runs that began on it with their spans. `cost_usd`: at list prices, what is unknown left out."""

    day: str
    runs: int = 0
    ok: int = 0
    failed: int = 0
    calls: int = 0
    handoffs: int = 0
    turns: int = 0
    cost_usd: float = 0.0


def daily(connection: Connection, days: int, playbook: str | None) -> list[Day]:
    """Each of the last so many days, today last, of one playbook or of all."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days - 1)
    which = [RUNS.c.started_at >= first.isoformat(), *([RUNS.c.playbook == playbook] if playbook else [])]
    day = func.substr(RUNS.c.started_at, 1, 10).label("day")
    of_runs = select(day, *_runs()).where(*which).group_by(day)
    of_spans = select(day, *_spans()).join(RUNS, RUNS.c.run_id == SPANS.c.run_id).where(*which).group_by(day)
    runs, spans = (
        {row["day"]: dict(row) for row in connection.execute(query).mappings()} for query in (of_runs, of_spans)
    )
    return [_day(first + timedelta(days=number), runs, spans) for number in range(days)]


def _runs() -> list[ColumnElement[Any]]:
    return [
        func.count().label("runs"),
        func.count(case((RUNS.c.status == "ok", 1))).label("ok"),
        func.count(case((RUNS.c.status == "failed", 1))).label("failed"),
    ]


def _spans() -> list[ColumnElement[Any]]:
    session = SPANS.c.kind == "session"
    return [
        func.count(case((SPANS.c.kind == "tool", 1))).label("calls"),
        func.count(case((SPANS.c.kind == "delegate", 1))).label("handoffs"),
        func.coalesce(func.sum(case((session, SPANS.c.turns))), 0).label("turns"),
        func.coalesce(func.sum(case((session, SPANS.c.cost_usd))), 0.0).label("cost_usd"),
    ]


def _day(day: date, *found: dict[str, dict[str, Any]]) -> Day:
    values = {name: value for rows in found for name, value in rows.get(day.isoformat(), {}).items() if name != "day"}
    return Day(day.isoformat(), **values)
