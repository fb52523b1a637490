"""The plan of a run as people read it."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .mandate_text import bound_text, server_heading
from .plan import Check, PlannedCall, PlannedMandate, PlannedStep, PlannedWorker, RunPlan


def plan_view(plan: RunPlan) -> RenderableType:
    heading = Text.assemble((plan.playbook, "bold"), f"  version {plan.version or 'not said'}\n{plan.description}\n")
    heading.append(f"model: {plan.model}", "yellow" if plan.model == "rehearsal" else "")
    for name, value in plan.inputs.items():
        heading.append(f"\n{name}={value}")
    parts: list[RenderableType] = [heading]
    parts += _section("Looked up before the first session", [_call(call) for call in plan.lookups])
    if plan.lead:
        parts += _section("Lead", [Text(plan.lead)])
    parts += _section("Steps", [_step(number, step) for number, step in enumerate(plan.steps, 1)])
    depth = [Text(f"work is given on at most {plan.delegation_depth} deep", "dim")] if not plan.bound.sessions else []
    parts += _section("Workers", [_workers(plan.workers), *depth])
    parts += _section("Mandates", [part for worker in plan.workers for part in _mandates(worker)])
    parts += _section("Called once there is a result", [_call(call) for call in plan.after])
    parts += _section("At most", _bound(plan))
    parts += _section("Checked before the first session", [_check(check) for check in plan.checks])
    return Group(*parts, Text("\nNothing was called, and nothing recorded.", "dim"))


def _section(title: str, lines: Sequence[RenderableType]) -> list[RenderableType]:
    return [Text(f"\n{title}", style="bold"), *map(_indented, lines)] if lines else []


def _indented(line: RenderableType) -> Padding:
    return Padding(line, (0, 0, 0, 2), expand=False)


def _step(number: int, step: PlannedStep) -> Text:
    line = Text.assemble(f"{number}. ", (step.id, "bold"), f"  {step.worker or 'a person is asked'}")
    if step.needs:
        line.append(f"  after {', '.join(step.needs)}")
    if step.on_error != "fail" and step.worker:
        line.append(f"  on an error: {step.on_error}")
    return line.append(f"  {_short(step.text)}", "italic dim")


def _workers(workers: Iterable[PlannedWorker]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("worker", "version", "model", "else", "turns", "dollars", "seconds", "gives work to"):
        table.add_column(column, justify="right" if column in ("turns", "dollars", "seconds") else "left")
    for worker in workers:
        others = [*worker.delegates, *(f"{name} (hands over)" for name in worker.transfers)]
        others += [f"{worker.fallback} (if it fails)"] if worker.fallback else []
        models = (worker.model, worker.fallback_model or "—")
        table.add_row(worker.worker, worker.version or "—", *models, *_limits(worker.limits), ", ".join(others))
    return table


def _mandates(worker: PlannedWorker) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(worker.worker, style="bold")]
    for server in worker.servers:
        parts.append(server_heading(server.server, server.scope, mandates=server.mandates))
        parts += map(_indented, _mandate(server))
    if worker.resources:
        parts.append(Text(f"may read: {', '.join(worker.resources)}"))
    if not worker.servers and not worker.resources:
        parts.append(Text("no tool of any server", style="dim"))
    return parts


def _mandate(server: PlannedMandate) -> list[Text]:
    lines = [Text(", ".join(tool.tool for tool in server.tools))] if server.tools else []
    if server.bounds:
        bounds = ", ".join(bound_text(name, bound) for name, bound in server.bounds.items())
        lines.append(Text(f"wherever a tool takes it: {bounds}", style="yellow"))
    for approval, what in (("always", "call"), ("of changes", "change")):
        if tools := [tool.tool for tool in server.tools if tool.approval == approval]:
            lines.append(Text(f"by a rule each {what} waits for a person: {', '.join(tools)}", style="yellow"))
    if server.denied:
        lines.append(Text(f"denied by a rule: {', '.join(server.denied)}", style="dim"))
    return lines


def _call(call: PlannedCall) -> Text:
    line = Text.assemble((call.name, "bold"), f"  {call.tool}")
    if call.rule:
        why = "takes it away" if call.rule == "deny" else "wants an approval, and nobody is asked"
        line.append(f"  is not made: a rule of fleet.yaml {why}", "red")
    arguments = " ".join(f"{name}={_short(str(value), 60)}" for name, value in call.arguments.items())
    return line.append(f"  {arguments}", "dim")


def _bound(plan: RunPlan) -> list[Text]:
    bound = plan.bound
    turns, dollars, seconds = _limits(bound.most)
    lines = [f"{turns} turns, {dollars}, {seconds} s at work; waiting for people does not count"]
    if plan.model == "rehearsal":
        lines.append("it is a rehearsal: nothing is spent, dollars are at list prices")
    if bound.sessions:
        (run_turns, run_dollars, _), (all_turns, all_dollars, _) = _limits(bound.run), _limits(bound.sessions)
        lines.append(
            f"the run may use {run_turns} turns and {run_dollars}, its sessions {all_turns} and {all_dollars} together"
        )
    else:
        lines.append("these are the limits of the run: how many sessions it has is up to its workers")
    lines.append("a session can exceed its dollars by one model call, whose price is known afterwards")
    return [Text(line, style="dim" if number else "") for number, line in enumerate(lines)]


def _check(check: Check) -> Text:
    if check.missing is None:
        return Text(f"· {check.what}")
    return Text(f"✗ {check.what}: {check.missing} {check.suggestion}".rstrip(), style="red")


def _limits(limits: Mapping[str, float]) -> tuple[str, str, str]:
    """Turns, dollars, seconds."""
    return f"{limits['max_turns']:g}", f"${limits['budget_usd']:.2f}", f"{limits['wall_clock_s']:g}"


def _short(text: str, limit: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
