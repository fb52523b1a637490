"""The tree of a run's agents and calls, and the line for each of them."""

from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from ..journal.journal import Span, seconds_between
from .values import cost, duration, error_text, guardrails_text, one_line

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


def children_by_parent(spans: Iterable[Span]) -> dict[str | None, list[Span]]:
    """The spans by parent, in the order they began; under None those whose parent is missing.

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
    children = children_by_parent(spans)
    roots = sorted(children.get(None, ()), key=lambda span: span.kind != "run")
    if not roots:
        return None
    rendered = Tree(span_label(roots[0]))

    def add(node: Tree, span: Span) -> None:
        for child in children.get(span.span_id, ()):
            offset = seconds_between(roots[0].started_at, child.started_at)
            add(node.add(span_label(child).append(f"  at {duration(offset)}", "dim")), child)

    add(rendered, roots[0])
    for orphan in roots[1:]:
        add(rendered.add(span_label(orphan)), orphan)
    return rendered


def span_label(span: Span) -> Text:
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
            label.append(f"  {one_line(str(span.attributes['task']), 90)}", "italic dim")
        case "tool":
            label.append(f"  {_arguments(span)}", "dim")
        case "delegate" | "approval":
            pass
    if span.status == "waiting":
        label.append(f"  {approval_text(span)}", "bold yellow")
    elif span.status != "running":
        label.append(f"  {_measures(span)}", "dim")
        if "approval" in span.attributes:
            label.append(f"  {approval_text(span)}", "green" if span.status == "ok" else "red")
    if error := span.attributes.get("error"):
        label.append(f"  {error_text(error)}", "red")
    return label


def approval_text(span: Span) -> str:
    """`245.00 USD: waits for approval`, later `245.00 USD: approved by ada after 2.1 s`."""
    approval = span.attributes["approval"]
    assert isinstance(approval, dict)
    of = one_line(str(approval["of"]), 120)
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


def _arguments(span: Span) -> str:
    arguments = span.attributes.get("arguments")
    given = arguments.items() if isinstance(arguments, dict) else ()
    return " ".join(f"{name}={one_line(str(value), 32)}" for name, value in given)
