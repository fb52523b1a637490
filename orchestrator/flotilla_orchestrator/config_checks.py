"""What the files of a config folder must say together: names resolve, delegation ends, bounds have a place to hold."""

from collections.abc import Iterable
from typing import cast

import jsonschema

from . import template
from .config import GATE, TOOL_NAME, Fleet, FleetLimits, Playbook, Worker
from .config_files import Files, Source
from .names import did_you_mean


def check(fleet: Fleet | None, source: Source, workers: Files[Worker], playbooks: Files[Playbook]) -> None:
    """Report what does not fit to the source it is in. Without a valid fleet, its servers' names still count."""
    servers = source.data.get("servers")
    names = [str(name) for name in cast("dict[object, object]", servers)] if isinstance(servers, dict) else None
    if names and GATE in names:
        source.problem(("servers", GATE), f"the name {GATE} is taken by the orchestrator's own server; choose another")
    for name, worker in workers.models.items():
        _check_worker(worker, workers.sources[name], workers, names)
    for name, playbook in playbooks.models.items():
        _check_playbook(playbook, playbooks.sources[name], workers, (fleet.limits if fleet else FleetLimits()))


def _check_worker(worker: Worker, source: Source, workers: Files[Worker], servers: list[str] | None) -> None:
    for place, tool in enumerate(worker.tools or ()):
        match = TOOL_NAME.fullmatch(tool)
        if not match:
            source.problem(("tools", place), f"`{tool}` is no MCP tool; name each one as mcp__SERVER__TOOL")
        elif servers is not None and match["server"] not in servers:
            message = f"`{tool}`: there is no server `{match['server']}`{did_you_mean(match['server'], servers)}"
            source.problem(("tools", place), message)
    if worker.tools is None:
        message = f"{worker.name} names no `tools` and is granted none (write `tools: []` if that is meant)"
        source.note(("name",), message)
    for server in worker.bounds:
        if server not in worker.servers:
            message = f"bounds for `{server}`, of which {worker.name} has no tool{did_you_mean(server, worker.servers)}"
            source.problem(("bounds", server), message)
    for place, name in enumerate(worker.delegates):
        if name not in workers:
            message = f"there is no worker `{name}`{did_you_mean(name, workers.models)}"
            source.problem(("delegates", place), message)
    if circle := _circle(worker.name, workers):
        source.problem(("delegates",), f"delegation goes in a circle: {' → '.join(circle)}")


def _check_playbook(playbook: Playbook, source: Source, workers: Files[Worker], limits: FleetLimits) -> None:
    if playbook.example:
        schema = jsonschema.Draft202012Validator(playbook.inputs)
        for error in schema.iter_errors(playbook.example.inputs):  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub
            source.problem(("example", "inputs", *error.absolute_path), f"`example.inputs`: {error.message}")
    if playbook.lead not in workers:
        message = f"there is no worker `{playbook.lead}`{did_you_mean(playbook.lead, workers.models)}"
        source.problem(("lead",), message)
        return
    team = _team(playbook.lead, workers)
    if any(_circle(worker.name, workers) for worker in team):
        return  # said where it is; it has no depth
    if (depth := _depth(playbook.lead, workers)) > limits.delegation_depth:
        message = (
            f"delegation from {playbook.lead} goes {depth} deep; limits.delegation_depth is {limits.delegation_depth}"
        )
        source.problem(("lead",), message)
    for worker in team:
        _check_bounds(worker, workers.sources[worker.name], playbook)


def _check_bounds(worker: Worker, source: Source, playbook: Playbook) -> None:
    """A bound that reads an input which is never there could not be filled in the middle of a run."""
    given: dict[str, object] = playbook.inputs.get("properties", {})
    if not given:  # any input may be given
        return
    for server, bounds in worker.bounds.items():
        for argument, bound in bounds.items():
            for name in sorted(template.attributes(bound, "inputs") - set(given)):
                message = f"`inputs.{name}` is no input of the playbook {playbook.name}{did_you_mean(name, given)}"
                source.problem(("bounds", server, argument), message)


def _delegates(names: Iterable[str], workers: Files[Worker]) -> list[str]:
    """Whom workers of these names delegate to, each once; names that are not there have none."""
    known = (workers.models[name] for name in names if name in workers.models)
    return list(dict.fromkeys(delegate for worker in known for delegate in worker.delegates))


def _team(lead: str, workers: Files[Worker]) -> list[Worker]:
    team = {lead: None}
    while further := [name for name in _delegates(team, workers) if name not in team]:
        team |= dict.fromkeys(further)
    return [workers.models[name] for name in team if name in workers.models]


def _circle(name: str, workers: Files[Worker]) -> list[str]:
    """The shortest chain of delegation from a worker back to itself; empty when there is none."""
    chains = {name: [name]}
    ahead = [name]
    while ahead:
        at = ahead.pop(0)
        for delegate in _delegates([at], workers):
            if delegate == name:
                return [*chains[at], name]
            if delegate not in chains:
                chains[delegate] = [*chains[at], delegate]
                ahead.append(delegate)
    return []


def _depth(lead: str, workers: Files[Worker]) -> int:
    """How many delegations the longest chain has; there is no circle."""
    depth, level = 0, _delegates([lead], workers)
    while level:
        depth, level = depth + 1, _delegates(level, workers)
    return depth
