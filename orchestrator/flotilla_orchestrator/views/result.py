"""The result of a run, and what it took: for people, and as `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..journal.allowances import LedgerEntry
from ..journal.journal import Run, Span
from .tree import approval_text
from .values import cost, error_text, value_text


def result(run: Run, spans: list[Span]) -> RenderableType:
    """The outcome of a run, and what it took."""
    parts: list[RenderableType] = []
    if run.output is not None:
        parts.append(_output(run.output))
    if run.error is not None:
        error_panel_text = Text.assemble(
            (f"{run.error['code']}: ", "bold red"), f"{run.error['message']}\n{run.error['suggestion']}"
        )
        parts.append(Panel(error_panel_text, title="failed", border_style="red"))
    for span in spans:
        if "approval" in span.attributes:
            done = {"ok": ", executed once", "denied": ", not executed"}.get(span.status, f", {span.status}")
            parts.append(Text(f"{span.name}, {approval_text(span)}{done if span.kind == 'tool' else ''}"))
    for call in calls_after(spans):
        if call["status"] != "ok":
            parts.append(Text(f"{call['name']} ({call['tool']}): {error_text(call['error'])}", style="red"))
    parts.append(Text(took(run, spans), style="bold", no_wrap=True, overflow="fold"))
    return Group(*parts)


def took(run: Run, spans: list[Span]) -> str:
    """`6 agents · 23 turns · 18 tool calls · $0.0123 · 4.2 s · model: claude`."""
    total = totals(spans)
    spent = cost(total["cost_usd"])
    if run.model == "rehearsal":
        spent = f"nothing spent ({spent} at list prices)"
    counts = f"{total['agents']} agents · {total['turns']} turns · {total['tool_calls']} tool calls"
    return f"{run.status} · {counts} · {spent} · {total['seconds']:.1f} s · model: {run.model}"


def totals(spans: list[Span]) -> dict[str, float]:
    """Sums over a run's spans; a session whose cost is unknown counts as nothing."""
    sessions = [span for span in spans if span.kind == "session"]
    return {
        "agents": len(sessions),
        "turns": sum(span.turns for span in sessions),
        "tool_calls": sum(span.kind == "tool" for span in spans),
        "input_tokens": sum(span.input_tokens for span in sessions),
        "output_tokens": sum(span.output_tokens for span in sessions),
        "cost_usd": round(sum(span.cost_usd or 0 for span in sessions), 6),
        "seconds": next((round(span.seconds, 3) for span in spans if span.kind == "run"), 0),
    }


def as_record(run: Run, spans: list[Span], entries: Sequence[LedgerEntry]) -> dict[str, object]:
    """A run as `--json` has it."""
    found = {"versions": versions(spans), "totals": totals(spans), "ledger": ledger(entries)}
    return {**asdict(run), **found, "after": calls_after(spans)}


def calls_after(spans: Sequence[Span]) -> list[dict[str, JsonValue]]:
    """How the calls ended that the playbook has made after a run."""
    return [
        {
            "name": span.attributes["after"],
            "tool": span.attributes["tool"],
            "status": span.status,
            "error": span.attributes.get("error"),
        }
        for span in spans
        if "after" in span.attributes
    ]


def ledger(entries: Sequence[LedgerEntry]) -> dict[str, JsonValue] | None:
    """What the run and each of its agents were allowed, used, and used beyond that; None where nothing was reserved."""
    run = next((entry for entry in entries if entry.worker is None), None)
    agents = [entry for entry in entries if entry.worker]
    if run is None:
        return None
    whole = replace(
        run,
        turns=sum(agent.turns for agent in agents),
        tool_calls=sum(agent.tool_calls for agent in agents),
        input_tokens=sum(agent.input_tokens for agent in agents),
        output_tokens=sum(agent.output_tokens for agent in agents),
        cost_usd=sum(agent.cost_usd or 0 for agent in agents),
        lost_turns=sum(agent.lost_turns for agent in agents),
        lost_usd=sum(agent.lost_usd for agent in agents),
    )
    listed: list[JsonValue] = [
        {"span_id": agent.span_id, "worker": agent.worker, **agent.as_record()} for agent in agents
    ]
    return {**whole.as_record(), "agents": listed}


def versions(spans: list[Span]) -> dict[str, dict[str, JsonValue]]:
    """Of the playbook and of each worker that was at work; None where the file has none."""
    kinds = {"playbook": "run", "workers": "session"}
    return {
        name: {span.name: span.attributes.get("version") for span in spans if span.kind == kind}
        for name, kind in kinds.items()
    }


def _output(output: Mapping[str, JsonValue]) -> RenderableType:
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    letters: list[RenderableType] = []
    for name, value in output.items():
        if (isinstance(value, str) and "\n" in value) or (value and isinstance(value, list | dict)):
            letters.append(Panel(Text(value_text(value)), title=name.replace("_", " ")))
        else:
            facts.add_row(Text(name.replace("_", " "), style="cyan"), Text(value_text(value)))
    return Group(Panel(facts, title="result", border_style="green"), *letters)
