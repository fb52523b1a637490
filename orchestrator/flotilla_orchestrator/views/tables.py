"""Runs and statistics as tables for people."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..journal.runs_list import Listed
from .tree import MARKS
from .values import cost, duration

Column = tuple[str, Callable[[Mapping[str, Any]], str]]


def console() -> Console:
    """Standard output; where nobody looks at its width, nothing is cut off."""
    found = Console()
    return found if found.is_terminal else Console(width=240)


def runs_table(runs: Sequence[Listed]) -> RenderableType:
    table = _table("RUN", "PLAYBOOK", "STATE", "STARTED", "TOOK", "AGENTS", "TURNS", "COST", "WAITS FOR")
    for run in runs:
        mark, style = MARKS.get(run.state, ("·", ""))
        started = datetime.fromisoformat(run.started_at).astimezone().strftime("%Y-%m-%d %H:%M")
        spent = "—" if run.cost_usd is None else cost(run.cost_usd) + (" *" if run.model == "rehearsal" else "")
        waits = [f"{wait.tool}: {wait.of} ({wait.approval_id})" for wait in run.waits_for]
        if run.resume_command:
            waits.append(f"then {run.resume_command}" if waits else run.resume_command)
        numbers = (duration(run.seconds), str(run.agents), str(run.turns), spent)
        state = Text(f"{mark} {run.state}", style)
        table.add_row(run.run_id, run.playbook, state, started, *numbers, Text(", ".join(waits)))
    rehearsed = any(run.model == "rehearsal" and run.cost_usd is not None for run in runs)
    return Group(table, Text("* rehearsed: nothing was spent; at list prices", "dim")) if rehearsed else table


def stats_tables(stats: Mapping[str, Any]) -> RenderableType:
    """By playbook, worker and tool, then what was approved."""
    if not stats["runs"]:
        return Text("No runs.")
    outcome_columns: list[Column] = [
        ("SUCCESS", lambda row: "—" if row["success_rate"] is None else f"{row['success_rate']:.0%}"),
        ("P50", lambda row: _seconds(row["p50_s"])),
        ("P95", lambda row: _seconds(row["p95_s"])),
    ]
    spent: Column = ("COST", lambda row: "—" if row["cost_usd"] is None else cost(row["cost_usd"]))
    really: Column = ("SPENT", lambda row: "—" if row["spent_usd"] is None else cost(row["spent_usd"]))
    turns: Column = ("TURNS", lambda row: str(row["turns"]))
    tokens: Column = ("TOKENS", lambda row: f"{row['input_tokens']} → {row['output_tokens']}")
    approvals = ", ".join(f"{count} {state}" for state, count in stats["approvals"].items()) or "none asked for"
    guardrails = ", ".join(f"{one['count']} {one['name']} ({one['effect']})" for one in stats["guardrails"])
    return Group(
        _groups("PLAYBOOK", "RUNS", stats["runs"], [*outcome_columns, spent, really]),
        _groups("WORKER", "SESSIONS", stats["sessions"], [*outcome_columns, turns, tokens, spent]),
        _groups("TOOL", "CALLS", stats["calls"], [*outcome_columns, ("DENIED", lambda row: str(row["denied"]))]),
        Text(f"approvals: {approvals}"),
        *([Text(f"guardrails: {guardrails}")] if guardrails else []),
        Text(
            "Costs are at list prices; what was spent leaves out rehearsals. Waiting for people is in no call.", "dim"
        ),
    )


def _groups(by: str, counts: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> Table:
    table = _table(by, counts, *(title for title, _ in columns))
    for row in rows:
        name = str(row[by.lower()]).removeprefix("mcp__").replace("__", " · ")
        table.add_row(Text(name), str(row["count"]), *(cell(row) for _, cell in columns))
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim")
    words = {"RUN", "PLAYBOOK", "STATE", "STARTED", "WAITS FOR", "WORKER", "TOOL"}
    for title in titles:
        table.add_column(title, justify="left" if title in words else "right", overflow="fold")
    return table


def _seconds(seconds: float | None) -> str:
    return "—" if seconds is None else duration(seconds)
