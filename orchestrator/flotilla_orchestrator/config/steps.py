"""Checks over the steps of a playbook and its calls after a run: ids are unique, `needs` have no cycle, and nothing is
read before it exists.
"""

from collections.abc import Callable, Iterable, Iterator

from flotilla_rehearsal import template
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from .playbooks import Playbook, Step
from .source import Place, SourceFile

RUN_FIELDS = ("id", "ended_at")  # what calls after a run may read of it
STEP_FIELDS = ("summary", "output", "status")  # what templates may read of a step
_TEMPLATE_NAMES = ("inputs", "lookups", "steps", "task")


def check_steps(playbook: Playbook, source: SourceFile) -> None:
    """Report what is wrong with the steps; inputs and lookups that templates read are checked where all others are."""
    steps: dict[str, Step] = {}
    for number, step in enumerate(playbook.steps):
        if step.id in steps:
            source.add_problem(("steps", number, "id"), f"the id {step.id} is taken by another step; ids are unique")
        steps.setdefault(step.id, step)
    for number, step in enumerate(playbook.steps):
        for place, need in enumerate(step.needs):
            if need not in steps:
                message = f"there is no step `{need}`{did_you_mean(need, steps)}"
                source.add_problem(("steps", number, "needs", place), message)
    for number, step in enumerate(playbook.steps):
        if found := find_cycle(step.id, lambda at: steps[at].needs if at in steps else ()):
            source.add_problem(("steps", number, "needs"), f"steps need each other in a circle: {' → '.join(found)}")
            return
    for place, value, step in step_templates(playbook):
        done = needed_steps(playbook, step) if step else list(steps)
        _check_reads(value, playbook, steps, done, step, source, place)
    last = playbook.steps[-1]
    if playbook.output and not playbook.result and not last.output:
        message = f"nothing gives this: add `result`, or an `output` to the last step, {last.id}"
        source.add_problem(("output",), message)


def check_call_after_run(value: JsonValue, playbook: Playbook, source: SourceFile, place: Place) -> None:
    """Report what a call after the run reads that does not exist then."""
    known = ("inputs", "lookups", "output", "run", "task")
    properties = (playbook.output or {}).get("properties", {})
    for path in sorted(template.reads(value)):
        if path[0] not in known:
            source.add_problem(place, f"`{path[0]}` is nothing to read here{did_you_mean(path[0], known)}")
        elif path[0] == "run" and (len(path) == 1 or path[1] not in RUN_FIELDS):
            source.add_problem(place, f"`{'.'.join(path)}`: of the run there is {' and '.join(RUN_FIELDS)}")
        elif path[0] == "output" and len(path) > 1 and properties and path[1] not in properties:
            message = f"`{'.'.join(path)}` is not in the `output` of the playbook{did_you_mean(path[1], properties)}"
            source.add_problem(place, message)


def step_templates(playbook: Playbook) -> Iterator[tuple[Place, JsonValue, Step | None]]:
    """Every template of its steps and result, with its place and step."""
    for number, step in enumerate(playbook.steps):
        key = "task" if step.task else "approve"
        yield ("steps", number, key), step.task or step.approve, step
    for name, value in playbook.result.items():
        yield ("result", name), value, None


def needed_steps(playbook: Playbook, step: Step) -> list[str]:
    """The ids of all steps that are done before this one begins, in the order of the file."""
    steps = {step.id: step for step in playbook.steps}
    found: set[str] = set()
    pending = list(step.needs)
    while pending:
        name = pending.pop()
        if name in steps and name not in found:
            found.add(name)
            pending += steps[name].needs
    return [name for name in steps if name in found]


def find_cycle(start: str, following: Callable[[str], Iterable[str]]) -> list[str]:
    """The shortest chain from a name back to itself; empty when there is none."""
    chains = {start: [start]}
    pending = [start]
    while pending:
        at = pending.pop(0)
        for name in following(at):
            if name == start:
                return [*chains[at], start]
            if name not in chains:
                chains[name] = [*chains[at], name]
                pending.append(name)
    return []


def _check_reads(
    value: JsonValue,
    playbook: Playbook,
    steps: dict[str, Step],
    done: list[str],
    step: Step | None,
    source: SourceFile,
    place: Place,
) -> None:
    for path in sorted(template.reads(value), key=lambda path: (path[0] != "steps", path)):
        if path[0] not in _TEMPLATE_NAMES:
            source.add_problem(place, f"`{path[0]}` is nothing to read here{did_you_mean(path[0], _TEMPLATE_NAMES)}")
        elif path[0] == "steps" and (wrong := _problem_of_read(path, playbook, steps, done, step)):
            source.add_problem(place, wrong)


def _problem_of_read(
    path: tuple[str, ...], playbook: Playbook, steps: dict[str, Step], done: list[str], step: Step | None
) -> str | None:
    path_text = ".".join(path)
    if len(path) < 3:
        return (
            f"`{path_text}`: name a step and what to read of it: `steps.ID.summary`, or `steps['ID']` for ids with `-`"
        )
    name, what = path[1:3]
    if name not in steps:
        return f"`steps.{name}` is no step of {playbook.name}{did_you_mean(name, steps)}"
    if name not in done:
        return f"`steps.{name}` need not be done by then: name it in `needs` of {step.id if step else 'it'}"
    if what not in STEP_FIELDS:
        return f"`{path_text}`: a step has no `{what}`{did_you_mean(what, STEP_FIELDS)}"
    schema = steps[name].output
    if what == "output" and schema is None:
        return f"`{path_text}`: {name} has no `output` in its step; read its summary, or give it one"
    properties = (schema or {}).get("properties", {})
    if what == "output" and len(path) > 3 and properties and path[3] not in properties:
        return f"`{path_text}` is not in the `output` of {name}{did_you_mean(path[3], properties)}"
    return None
