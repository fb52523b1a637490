"""The page of statistics: plots with their tables, of the last days and of one playbook or all."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ..journal.daily import Day, daily
from ..journal.stats import stats
from ..service.callers import Reader
from ..service.resources import Resources
from ..views.values import duration
from .pages import render
from .plots import Bars, Columns, by_name
from .sessions import PREFIX

router = APIRouter(prefix=f"{PREFIX}/stats")
_RANGES = (7, 30, 90)


@router.get("")
async def stats_page(
    request: Request,
    _: Reader,
    resources: Resources,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    playbook: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    only = playbook or None
    found = await resources.journal.query(stats, days, only)
    by_day = await resources.journal.query(daily, days, only)
    calls, sessions, runs = found["calls"], found["sessions"], found["runs"]
    return render(
        request,
        "stats.html",
        found=found,
        columns=_columns(by_day),
        bars=[
            Bars("Calls by tool", "tool", by_name(calls, "tool", lambda row: row["count"]), _count),
            Bars("Success by tool", "tool", by_name(calls, "tool", _success), _share, 1),
            Bars("Latency by tool, p95", "tool", by_name(calls, "tool", lambda row: row["p95_s"]), duration),
            Bars("Success by playbook", "playbook", by_name(runs, "playbook", _success), _share, 1),
            Bars("Turns in a session, by worker", "worker", by_name(sessions, "worker", _turns), _tenth),
        ],
        totals=_totals(found, by_day),
        days=days,
        playbook=playbook,
        ranges=_RANGES,
        playbooks=sorted(resources.config.playbooks),
    )


def _columns(days: list[Day]) -> list[Columns]:
    return [
        Columns("Runs a day", [(day.day, day.runs) for day in days], _count),
        Columns("Calls a day", [(day.day, day.calls) for day in days], _count),
        Columns("Cost a day, at list prices", [(day.day, day.cost_usd) for day in days], _dollars),
        Columns("Turns per run", [(day.day, day.turns / day.runs if day.runs else 0) for day in days], _tenth),
        Columns("Handoffs a day", [(day.day, day.handoffs) for day in days], _count),
    ]


def _totals(found: Mapping[str, Any], days: list[Day]) -> list[tuple[str, str]]:
    runs, ok, failed = sum(day.runs for day in days), sum(day.ok for day in days), sum(day.failed for day in days)
    turns, calls = sum(day.turns for day in days), sum(day.calls for day in days)
    decided = found["approvals"]
    return [
        ("runs", _count(runs)),
        ("succeeded", _share(ok / (ok + failed)) if ok + failed else "—"),
        ("tool calls", _count(calls)),
        ("turns per run", _tenth(turns / runs) if runs else "—"),
        ("handoffs", _count(sum(day.handoffs for day in days))),
        ("cost at list prices", _dollars(sum(day.cost_usd for day in days))),
        ("approved", _count(decided.get("approved", 0))),
        ("rejected", _count(decided.get("rejected", 0))),
    ]


def _success(row: Mapping[str, Any]) -> float | None:
    return row["success_rate"]


def _turns(row: Mapping[str, Any]) -> float | None:
    return row["turns"] / row["count"] if row["count"] else None


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _tenth(value: float) -> str:
    return f"{value:.1f}"


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 0.1 or not value else f"${value:.4f}"
