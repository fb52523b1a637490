"""Checks over all files of a config folder: names resolve, delegation has no cycle, each bound has a tool to bound."""

import re
from collections.abc import Iterable, Iterator
from typing import cast

import jsonschema
from flotilla_rehearsal import template
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from .fields import GATE, ROUTER, TOOL_NAME
from .fleet import Fleet, Rule
from .guardrails import Guardrail
from .limits import FleetLimits
from .playbooks import Playbook, ToolCall
from .source import Place, SourceFile, SourceFiles
from .steps import check_call_after_run, check_steps, find_cycle, step_templates
from .workers import Worker


def check(
    fleet: Fleet | None,
    source: SourceFile,
    workers: SourceFiles[Worker],
    playbooks: SourceFiles[Playbook],
    guardrails: SourceFiles[Guardrail],
) -> None:
    """Add each problem to the file that it is in. Without a valid fleet, its servers' names still count."""
    servers = source.data.get("servers")
    names = [str(name) for name in cast("dict[object, object]", servers)] if isinstance(servers, dict) else None
    if names and GATE in names:
        source.add_problem(
            ("servers", GATE), f"the name {GATE} is taken by the orchestrator's own server; choose another"
        )
    for sources in (workers.sources, playbooks.sources):
        if ROUTER in sources:
            sources[ROUTER].add_problem(("name",), f"the name {ROUTER} is taken by `flotilla ask`; choose another")
    for name, worker in workers.models.items():
        _check_worker(worker, workers.sources[name], workers, names)
    for name, playbook in playbooks.models.items():
        _check_playbook(playbook, playbooks.sources[name], workers, (fleet.limits if fleet else FleetLimits()))
        _check_scope(playbook, playbooks.sources[name], workers, names)
    if fleet:
        _check_mandates(fleet, source, workers, playbooks, guardrails)


def _check_mandates(
    fleet: Fleet,
    source: SourceFile,
    workers: SourceFiles[Worker],
    playbooks: SourceFiles[Playbook],
    guardrails: SourceFiles[Guardrail],
) -> None:
    """Report bounds, scopes, rules and calls for servers that get no mandate, which alone enforces them."""
    without_mandates = {name for name, server in fleet.servers.items() if not server.gets_mandates}
    why = "need mandates, and `{}` gets none: fleet.yaml gives it an Authorization of its own"
    for name, worker in workers.models.items():
        for server in without_mandates.intersection(worker.bounds):
            workers.sources[name].add_problem(("bounds", server), f"bounds {why.format(server)}")
    for name, playbook in playbooks.models.items():
        for server in without_mandates.intersection(playbook.scope):
            playbooks.sources[name].add_problem(("scope", server), f"scopes {why.format(server)}")
        for called, call in playbook.after.items():
            if call.server in without_mandates:
                playbooks.sources[name].add_problem(("after", called), f"calls after a run {why.format(call.server)}")
    for at, rule in enumerate(fleet.rules):
        matched = _check_rule(rule, ("rules", at), source, workers, playbooks)
        for server in sorted(without_mandates & matched):
            source.add_problem(("rules", at, "tools"), f"rules {why.format(server)}")
    for name, guardrail in guardrails.models.items():
        _check_tools(guardrail, guardrails.sources[name], [*fleet.servers, GATE])
        matched = _check_rule(guardrail, (), guardrails.sources[name], workers, playbooks)
        for server in sorted(without_mandates & matched) if guardrail.in_mandate else ():
            guardrails.sources[name].add_problem(("tools",), f"guardrails that mandates say {why.format(server)}")


def _check_rule(
    rule: Rule | Guardrail,
    place: Place,
    source: SourceFile,
    workers: SourceFiles[Worker],
    playbooks: SourceFiles[Playbook],
) -> set[str]:
    """The servers whose tools it is for."""
    known = {name for playbook in playbooks.models.values() for name in _declared_inputs(playbook)}
    closed = all(_declared_inputs(playbook) for playbook in playbooks.models.values()) and not playbooks.invalid_names
    for name in rule.when:
        if closed and name not in known:
            message = f"`when.{name}` is no input of any playbook{did_you_mean(name, known)}"
            source.add_problem((*place, "when", name), message)
    named = {tool for worker in workers.models.values() for tool in worker.tools or ()}
    named |= {call.tool for playbook in playbooks.models.values() for call in playbook.after.values()}
    matched = [TOOL_NAME.fullmatch(tool) for tool in named if rule.matches(tool)]
    if not matched and not workers.invalid_names and isinstance(rule, Rule):
        source.add_note(place, f"no worker has a tool that this rule is for: {', '.join(rule.tools)}")
    return {match["server"] for match in matched if match}


def _check_tools(guardrail: Guardrail, source: SourceFile, servers: list[str]) -> None:
    """It may be for tools that no worker has yet, but not for those of a server that is not there."""
    for at, pattern in enumerate(guardrail.tools):
        match = re.match(r"mcp__([^*?\[]+?)__", pattern)
        if match and match[1] not in servers:
            source.add_problem(("tools", at), f"there is no server `{match[1]}`{did_you_mean(match[1], servers)}")


def _check_worker(worker: Worker, source: SourceFile, workers: SourceFiles[Worker], servers: list[str] | None) -> None:
    for place, tool in enumerate(worker.tools or ()):
        match = TOOL_NAME.fullmatch(tool)
        if not match:
            source.add_problem(("tools", place), f"`{tool}` is no MCP tool; name each one as mcp__SERVER__TOOL")
        elif servers is not None and match["server"] not in servers:
            message = f"`{tool}`: there is no server `{match['server']}`{did_you_mean(match['server'], servers)}"
            source.add_problem(("tools", place), message)
    if worker.tools is None:
        message = f"{worker.name} names no `tools` and is granted none (write `tools: []` if that is meant)"
        source.add_note(("name",), message)
    for server in worker.bounds:
        if server not in worker.servers:
            message = f"bounds for `{server}`, of which {worker.name} has no tool{did_you_mean(server, worker.servers)}"
            source.add_problem(("bounds", server), message)
    for key, names in (("delegates", worker.delegates), ("transfers", worker.transfers)):
        for place, name in enumerate(names):
            _check_name(name, source, (key, place), workers)
    if worker.fallback:
        _check_name(worker.fallback, source, ("fallback",), workers)
    if cycle := _delegation_cycle(worker.name, workers):
        targets = {"delegates": worker.delegates, "transfers": worker.transfers, "fallback": [worker.fallback]}
        first = next(key for key, names in targets.items() if cycle[1] in names)
        source.add_problem((first,), f"delegation goes in a circle: {' → '.join(cycle)}")


def _check_name(name: str, source: SourceFile, place: Place, workers: SourceFiles[Worker]) -> None:
    if name not in workers:
        source.add_problem(place, f"there is no worker `{name}`{did_you_mean(name, workers.models)}")


def _check_playbook(playbook: Playbook, source: SourceFile, workers: SourceFiles[Worker], limits: FleetLimits) -> None:
    if playbook.example:
        schema = jsonschema.Draft202012Validator(playbook.inputs)
        for error in schema.iter_errors(playbook.example.inputs):  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub
            source.add_problem(("example", "inputs", *error.absolute_path), f"`example.inputs`: {error.message}")
    assigned = [(("lead",), playbook.lead)] if playbook.lead else _step_workers(playbook)
    for place, name in assigned:
        if name not in workers:
            source.add_problem(place, f"there is no worker `{name}`{did_you_mean(name, workers.models)}")
    team = _team(playbook.workers, workers)
    if any(_delegation_cycle(worker.name, workers) for worker in team):
        return  # reported at the worker; a cycle has no depth
    for place, name in assigned:
        if (depth := _delegation_depth(name, workers)) > limits.delegation_depth:
            message = f"delegation from {name} goes {depth} deep; limits.delegation_depth is {limits.delegation_depth}"
            source.add_problem(place, message)
    for worker in team:
        _check_bounds(worker, workers.sources[worker.name], playbook)
    if playbook.steps:
        check_steps(playbook, source)
    for place, value, _ in step_templates(playbook):
        _check_template(value, playbook, playbook.lookups, source, place)


def _step_workers(playbook: Playbook) -> list[tuple[Place, str]]:
    steps = enumerate(playbook.steps)
    return [(("steps", number, "worker"), step.worker) for number, step in steps if step.worker]


def _check_bounds(worker: Worker, source: SourceFile, playbook: Playbook) -> None:
    """Report bounds that read inputs or lookups which a run of the playbook does not have."""
    for server, bounds in worker.bounds.items():
        for argument, bound in bounds.items():
            _check_template(bound, playbook, playbook.lookups, source, ("bounds", server, argument))


def _check_scope(
    playbook: Playbook, source: SourceFile, workers: SourceFiles[Worker], servers: list[str] | None
) -> None:
    """The scope of a playbook, the lookups that fill it, and the calls that it narrows too."""
    known: list[str] = []
    for name, lookup in playbook.lookups.items():
        _check_call(lookup, source, ("lookups", name), servers)
        _check_template(lookup.arguments, playbook, known, source, ("lookups", name, "arguments"))
        known.append(name)
    for name, call in playbook.after.items():
        _check_call(call, source, ("after", name), servers)
        for argument, value in call.arguments.items():
            _check_template(value, playbook, known, source, ("after", name, "arguments", argument))
            check_call_after_run(value, playbook, source, ("after", name, "arguments", argument))
    reached = {server for worker in _team(playbook.workers, workers) for server in worker.servers}
    reached |= {call.server for call in playbook.after.values() if call.server}
    for server, keys in playbook.scope.items():
        if servers is not None and server not in servers:
            source.add_problem(("scope", server), f"there is no server `{server}`{did_you_mean(server, servers)}")
        elif server not in reached and not workers.invalid_names:
            source.add_problem(("scope", server), f"no worker of {playbook.name} has a tool of `{server}`")
        for key, value in keys.items():
            _check_template(value, playbook, known, source, ("scope", server, key))


def _check_call(call: ToolCall, source: SourceFile, place: Place, servers: list[str] | None) -> None:
    if call.server is None:
        source.add_problem((*place, "tool"), f"`{call.tool}` is no MCP tool; name it as mcp__SERVER__TOOL")
    elif servers is not None and call.server not in servers:
        source.add_problem((*place, "tool"), f"there is no server `{call.server}`{did_you_mean(call.server, servers)}")


def _check_template(
    value: JsonValue, playbook: Playbook, known: Iterable[str], source: SourceFile, place: Place
) -> None:
    """Report inputs and lookups that are not there; `known` are the lookups made before the template is rendered."""
    given = _declared_inputs(playbook)
    for name in sorted(template.attributes(value, "inputs") - set(given)) if given else ():
        message = f"`inputs.{name}` is no input of the playbook {playbook.name}{did_you_mean(name, given)}"
        source.add_problem(place, message)
    for name in sorted(template.attributes(value, "lookups") - set(known)):
        message = f"`lookups.{name}` is no lookup that {playbook.name} has made by then{did_you_mean(name, known)}"
        source.add_problem(place, message)


def _declared_inputs(playbook: Playbook) -> dict[str, object]:
    """The inputs that a playbook declares; none: any may be given."""
    return playbook.inputs.get("properties", {})


def _reachable_workers(names: Iterable[str], workers: SourceFiles[Worker]) -> list[str]:
    """The workers that tasks of these workers can reach directly, each once; unknown names reach none."""
    known = (workers.models[name] for name in names if name in workers.models)
    return list(dict.fromkeys(other for worker in known for other in worker.reachable_workers))


def _team(heads: Iterable[str], workers: SourceFiles[Worker]) -> list[Worker]:
    team = dict.fromkeys(heads)
    while further := [name for name in _reachable_workers(team, workers) if name not in team]:
        team |= dict.fromkeys(further)
    return [workers.models[name] for name in team if name in workers.models]


def _delegation_cycle(name: str, workers: SourceFiles[Worker]) -> list[str]:
    return find_cycle(name, lambda at: _reachable_workers([at], workers))


def _delegation_depth(lead: str, workers: SourceFiles[Worker]) -> int:
    """How many delegations and transfers the longest chain has; there is no circle."""
    depth, level = -1, [lead]
    while level:
        known = [worker for name in level for worker in _with_fallbacks(name, workers)]
        depth, level = depth + 1, list({name for worker in known for name in (*worker.delegates, *worker.transfers)})
    return depth


def _with_fallbacks(name: str, workers: SourceFiles[Worker]) -> Iterator[Worker]:
    """A worker, and those that get its task, one after the other, if it fails."""
    while worker := workers.models.get(name):
        yield worker
        name = worker.fallback or ""
