"""Lookups: calls of reading tools before a run's first session, such as for the customer that a ticket is about."""

from collections.abc import Mapping

from flotilla_rehearsal.template import TemplateError
from pydantic import JsonValue

from ..config.playbooks import Playbook, ToolCall
from ..errors import Failure
from ..mandates.claims import RunFacts, tool_details
from .fleet import Fleet

_CALLER = "lookup"  # `sub` of its mandates


async def look_up(playbook: Playbook, fleet: Fleet, inputs: Mapping[str, JsonValue]) -> RunFacts:
    """Make the playbook's lookups, one after the other; returns the run's inputs and their results.

    Each is one call with a mandate for that one tool, which must say that it only reads.

    Raises:
        Failure: `lookup_failed`.
    """
    facts = RunFacts(inputs)
    for name, lookup in playbook.lookups.items():
        try:
            answer = await _answer(lookup, fleet, facts)
        except Failure as failure:
            message = f"The lookup `{name}` of {playbook.name}: {failure.message}"
            raise Failure(
                "lookup_failed", message, failure.suggestion, retryable=failure.retryable, details=failure.details
            ) from failure
        facts = RunFacts(inputs, {**facts.lookups, name: answer})
    return facts


async def _answer(lookup: ToolCall, fleet: Fleet, facts: RunFacts) -> JsonValue:
    assert lookup.server, "checked when the config was loaded"
    server, tool = fleet.servers[lookup.server], lookup.tool_name
    if tool not in server.tools:
        raise Failure("", f"the server {server.name} has no tool `{tool}`.", "Correct `lookups` in the playbook.")
    if not server.tools[tool].read_only:
        raise Failure("", f"`{tool}` does not say that it only reads.", "Choose a tool that changes nothing.")
    try:
        arguments = {name: facts.render(value) for name, value in lookup.arguments.items()}
    except TemplateError as error:
        raise Failure("", f"{error}.", "Correct `lookups` in the playbook.") from error
    answer = await server.call(server.mandate(_CALLER, tool_details([tool])), tool, arguments)
    if answer is None:
        raise Failure("", f"{tool} gives no structured result.", "Choose another tool.")
    return answer
