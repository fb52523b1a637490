"""Statistics of runs by playbook, worker and tool, computed by the database.

Success is the share of `ok` among what ended by itself (`ok` and `failed`); denied and interrupted are counted apart.
Latency is the nearest-rank percentile of what ended so. Costs are at list prices, and sums leave out what is unknown;
`spent_usd` leaves out rehearsals, which cost nothing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Connection, Float, Select, Subquery, and_, case, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from .journal import RUNS, SPANS, from_now


class _Seconds(GenericFunction[float]):
    """`(start, end)`: the time between two texts in ISO 8601."""

    name = "seconds"
    type = Float()
    inherit_cache = True


@compiles(_Seconds)
def _in_sqlite(element: _Seconds, compiler: Any, **options: Any) -> str:  # pyright: ignore[reportUnusedFunction]  # registered
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400)"


@compiles(_Seconds, "postgresql")
def _in_postgresql(element: _Seconds, compiler: Any, **options: Any) -> str:  # pyright: ignore[reportUnusedFunction]  # registered
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"extract(epoch FROM {end}::timestamptz - {start}::timestamptz)::float"


def stats(connection: Connection, days: float | None, playbook: str | None) -> dict[str, Any]:
    """Everything since so many days ago, of one playbook or of all."""
    since = from_now(-86_400 * days) if days else None
    conditions = [RUNS.c.started_at >= since] if since else []
    conditions += [RUNS.c.playbook == playbook] if playbook else []
    runs = _runs(conditions)
    tools, workers = _spans("tool", conditions), _spans("session", conditions)
    used = (
        _sum(workers.c.turns),
        _sum(workers.c.input_tokens),
        _sum(workers.c.output_tokens),
        _cost(workers.c.cost_usd),
    )
    spent = _cost(case((runs.c.model == "rehearsal", 0.0), else_=runs.c.cost_usd), "spent_usd")
    return {
        "since": since,
        "playbook": playbook,
        "runs": _groups(connection, "playbook", runs, _cost(runs.c.cost_usd), spent),
        "sessions": _groups(connection, "worker", workers, *used),
        "calls": _groups(connection, "tool", tools, _count(tools.c.status == "denied", "denied")),
        "approvals": _approvals(connection, tools),
        "guardrails": _guardrails(connection, conditions),
    }


def _runs(conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    costs = select(func.sum(SPANS.c.cost_usd)).where(SPANS.c.run_id == RUNS.c.run_id, SPANS.c.kind == "session")
    columns = (RUNS.c.status, RUNS.c.model, costs.scalar_subquery().label("cost_usd"))
    return _ranked(select(RUNS.c.playbook.label("name"), *columns).where(*conditions), RUNS.c, waited=None)


def _spans(kind: str, conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    name = SPANS.c.attributes["tool"].as_string() if kind == "tool" else SPANS.c.name
    approval = SPANS.c.attributes["approval"]["state"].as_string()
    columns = (SPANS.c.turns, SPANS.c.input_tokens, SPANS.c.output_tokens, SPANS.c.cost_usd, SPANS.c.status)
    query = select(name.label("name"), approval.label("approval"), *columns).join(RUNS, RUNS.c.run_id == SPANS.c.run_id)
    return _ranked(query.where(SPANS.c.kind == kind, *conditions), SPANS.c, waited=approval)


def _ranked(query: Select[*tuple[Any, ...]], table: Any, waited: ColumnElement[str] | None) -> Subquery:
    """The rows with their seconds, how many of their name have one, and the rank among those.

    A call that waited for a person has no seconds: they are not its tool's.
    """
    timed = and_(table.status.in_(["ok", "failed"]), table.ended_at.is_not(None))
    if waited is not None:
        timed = and_(timed, waited.is_(None))
    # Clocks of two machines may disagree: never less than nothing.
    seconds = _Seconds(table.started_at, table.ended_at)
    rows = query.add_columns(case((timed, case((seconds < 0, 0.0), else_=seconds))).label("seconds")).subquery()
    rank = func.row_number().over(partition_by=[rows.c.name, rows.c.seconds.is_(None)], order_by=rows.c.seconds)
    timed_rows = func.count(rows.c.seconds).over(partition_by=rows.c.name)
    return select(rows, rank.label("rank"), timed_rows.label("timed")).subquery()


def _groups(connection: Connection, by: str, rows: Subquery, *more: ColumnElement[Any]) -> list[dict[str, JsonValue]]:
    """One record for each name, the most frequent first."""
    ok, failed = _count(rows.c.status == "ok", "ok"), _count(rows.c.status == "failed", "failed")
    columns = [func.count().label("count"), ok, failed, _percentile(rows, 50), _percentile(rows, 95), *more]
    query = select(rows.c.name.label(by), *columns).group_by(rows.c.name)
    query = query.order_by(literal_column("count").desc(), rows.c.name)
    return [_rounded(dict(row)) for row in connection.execute(query).mappings()]


def _rounded(row: dict[str, Any]) -> dict[str, JsonValue]:
    ended = row["ok"] + row["failed"]
    row["success_rate"] = row["ok"] / ended if ended else None
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def _approvals(connection: Connection, calls: Subquery) -> dict[str, int]:
    query = (
        select(calls.c.approval, func.count().label("number"))
        .where(calls.c.approval.is_not(None))
        .group_by(calls.c.approval)
    )
    return {row.approval: row.number for row in connection.execute(query.order_by(calls.c.approval))}


def _guardrails(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[dict[str, JsonValue]]:
    """By name and effect, in how many spans a guardrail found what it looks for; few have any."""
    triggered = SPANS.c.attributes["guardrails"]
    query = select(triggered).join(RUNS, RUNS.c.run_id == SPANS.c.run_id)
    rows = connection.scalars(query.where(triggered.as_string().is_not(None), *conditions))
    counted = Counter((str(one["name"]), str(one["effect"])) for row in rows for one in row)
    return [{"name": name, "effect": effect, "count": counted[name, effect]} for name, effect in sorted(counted)]


def _count(which: ColumnElement[bool], label: str) -> ColumnElement[int]:
    return func.count(case((which, 1))).label(label)


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(column).label(column.key)


def _cost(column: ColumnElement[float], label: str = "cost_usd") -> ColumnElement[float]:
    return func.sum(column).label(label)


def _percentile(rows: Subquery, percent: int) -> ColumnElement[float]:
    at = and_(rows.c.seconds.is_not(None), rows.c.rank == (rows.c.timed * percent + 99) // 100)
    return func.max(case((at, rows.c.seconds))).label(f"p{percent}_s")
