"""What people see of a run: the tree of agents and calls, live or afterwards, and the result."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Self

from pydantic import JsonValue
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ..journal.allowances import LedgerEntry
from ..journal.journal import Run, Span, seconds_between
from .values import guardrails_text, short, value_text

MARKS = {
    "queued": ("⋯", "dim"),
    "running": ("…", "yellow"),
    "waiting": ("?", "bold yellow"),
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "denied": ("⊘", "red"),
    "interrupted": ("■", "red"),
    "cancelled": ("■", "yellow"),
}


class Progress:
    """Follows a run on a console while its block lasts: a live tree on a terminal, else a line for each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spans: dict[str, Span] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:  # anew each time: it would wipe out what was shown since it stopped
            self._live = Live(console=self._console, refresh_per_second=8, get_renderable=self._tree)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def aside(self) -> Generator[None]:
        """Leave the terminal to somebody else."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def recall(self, spans: Iterable[Span]) -> None:
        """What happened before this process took the run up."""
        self._spans.update({span.span_id: span for span in spans})

    def __call__(self, span: Span) -> None:
        """Take a span that began or ended."""
        begins = span.kind == "session" and span.span_id not in self._spans
        self._spans[span.span_id] = span
        if not self._console.is_terminal and (span.status != "running" or begins):
            depth = sum(1 for _ in self._above(span))
            self._console.print(Text("  " * depth).append_text(_label(span)), soft_wrap=True)

    def _above(self, span: Span) -> Iterable[Span]:
        while span.parent_id and (span := self._spans[span.parent_id]):
            yield span

    def _tree(self) -> RenderableType:
        return tree(self._spans.values()) or Text("Starting the servers …", style="dim")


def below(spans: Iterable[Span]) -> dict[str | None, list[Span]]:
    """The spans by parent, in the order they began; under None those whose parent is not there.

    The clocks of two machines may disagree: a span can begin before its parent.
    """
    ordered = sorted(spans, key=lambda span: span.started_at)
    known = {span.span_id for span in ordered}
    found: dict[str | None, list[Span]] = {}
    for span in ordered:
        found.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    return found


def tree(spans: Iterable[Span]) -> Tree | None:
    """The spans of one run as a tree, or None when there are none."""
    children = below(spans)
    tops = sorted(children.get(None, ()), key=lambda span: span.kind != "run")
    if not tops:
        return None
    top = Tree(_label(tops[0]))

    def add(node: Tree, span: Span) -> None:
        for child in children.get(span.span_id, ()):
            offset = seconds_between(tops[0].started_at, child.started_at)
            add(node.add(_label(child).append(f"  at {duration(offset)}", "dim")), child)

    add(top, tops[0])
    for lost in tops[1:]:
        add(top.add(_label(lost)), lost)
    return top


def result(run: Run, spans: list[Span]) -> RenderableType:
    """The outcome of a run, and what it took."""
    parts: list[RenderableType] = []
    if run.output is not None:
        parts.append(_output(run.output))
    if run.error is not None:
        said = Text.assemble(
            (f"{run.error['code']}: ", "bold red"), f"{run.error['message']}\n{run.error['suggestion']}"
        )
        parts.append(Panel(said, title="failed", border_style="red"))
    for span in spans:
        if "approval" in span.attributes:
            done = {"ok": ", executed once", "denied": ", not executed"}.get(span.status, f", {span.status}")
            parts.append(Text(f"{span.name}, {_approval(span)}{done if span.kind == 'tool' else ''}"))
    for call in calls_after(spans):
        if call["status"] != "ok":
            parts.append(Text(f"{call['name']} ({call['tool']}): {_error(call['error'])}", style="red"))
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
    """A run as `--json` tells it."""
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
    """What the run and each of its agents were allowed, used, and used too much; None where nothing was reserved."""
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
    """Of the playbook and of each worker that was at work; None where the file says none."""
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


def _label(span: Span) -> Text:
    mark, style = MARKS[span.status]
    label = Text.assemble((f"{mark} ", style), (span.name, "bold" if span.kind != "tool" else ""))
    circuit = span.attributes.get("circuit")
    if isinstance(circuit, dict) and circuit["state"] == "open":
        label.append(f"  circuit of {circuit['server']} opened", "bold red")
    if found := guardrails_text(span.attributes.get("guardrails")):
        label.append(f"  {found}", "bold yellow")
    match span.kind:
        case "run":
            label.append(f"  {span.run_id} · model: {span.attributes['model']}", "dim")
        case "session":
            if "attempt" in span.attributes:
                label.append(f"  attempt {span.attributes['attempt']}: {span.attributes['why']}", "yellow")
            if part := span.attributes.get("step"):
                label.append(f"  {part}", "cyan")
            label.append(f"  {short(str(span.attributes['task']), 90)}", "italic dim")
        case "tool":
            label.append(f"  {_arguments(span)}", "dim")
        case "delegate" | "approval":
            pass
    if span.status == "waiting":
        label.append(f"  {_approval(span)}", "bold yellow")
    elif span.status != "running":
        label.append(f"  {_measures(span)}", "dim")
        if "approval" in span.attributes:
            label.append(f"  {_approval(span)}", "green" if span.status == "ok" else "red")
    if error := span.attributes.get("error"):
        label.append(f"  {_error(error)}", "red")
    return label


def _approval(span: Span) -> str:
    """`245.00 USD: waits for approval`, later `245.00 USD: approved by ada after 2.1 s`."""
    approval = span.attributes["approval"]
    assert isinstance(approval, dict)
    of = short(str(approval["of"]), 120)
    if approval["state"] == "pending":
        return f"{of}: waits for approval"
    by = f" by {approval['by']}" if approval["by"] else ""
    asked, decided = approval.get("asked_at"), approval.get("decided_at")
    after = f" after {duration(seconds_between(str(asked), str(decided)))}" if asked and decided else ""
    return f"{of}: {approval['state']}{by}{after}"


def _measures(span: Span) -> str:
    if span.kind != "session":
        return duration(span.seconds)
    tokens = f"{span.input_tokens} → {span.output_tokens} tokens"
    return f"{span.turns} turns · {tokens} · {cost(span.cost_usd)} · {duration(span.seconds)}"


def cost(usd: float | None) -> str:
    """`$0.0123`, or that it is not known."""
    return "cost unknown" if usd is None else f"${usd:.4f}"


def duration(seconds: float) -> str:
    """`340 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`; negative where clocks disagree."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def _arguments(span: Span) -> str:
    arguments = span.attributes.get("arguments")
    given = arguments.items() if isinstance(arguments, dict) else ()
    return " ".join(f"{name}={short(str(value), 32)}" for name, value in given)


def _error(error: JsonValue) -> str:
    return short(f"{error['code']}: {error['message']}" if isinstance(error, dict) else str(error), 120)
