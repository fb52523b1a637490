"""What a worker may call in a run: its tools, each with the schema that its bounds put on the arguments.

Checked by the session's hook. (From the next release the servers enforce it themselves, from a signed mandate.)
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from . import template
from .config import TOOL_NAME, Worker
from .errors import Failure
from .fleet import Fleet


def grants(worker: Worker, fleet: Fleet, inputs: Mapping[str, JsonValue]) -> dict[str, Mapping[str, Any]]:
    """Full tool name to a JSON Schema of its arguments; `{}` where the worker has no bounds.

    A bounded argument is required: left out, a call would reach further than the bound.

    Raises:
        Failure: `bad_bound`: a bound cannot be filled from the inputs, or no tool takes its argument.
    """
    bounds: dict[str, dict[str, JsonValue]] = {tool: {} for tool in worker.tools or ()}
    for server, wanted in worker.bounds.items():
        for argument, bound in wanted.items():
            held = [tool for tool in bounds if _is_on(tool, server) and argument in _arguments(fleet, tool)]
            if not held:
                raise _bad_bound(worker, argument, f"none of its tools of {server} takes this argument")
            try:
                schema = template.render(bound, {"inputs": dict(inputs)})
            except template.TemplateError as error:
                raise _bad_bound(worker, argument, str(error)) from error
            for tool in held:
                bounds[tool][argument] = schema
    return {
        tool: {"properties": properties, "required": list(properties)} if properties else {}
        for tool, properties in bounds.items()
    }


def hidden(worker: Worker, fleet: Fleet) -> list[str]:
    """The other tools that the worker's servers list: until a server hides them itself, the session does."""
    listed = [f"mcp__{server}__{tool}" for server in worker.servers for tool in fleet.servers[server].tools]
    return [tool for tool in listed if tool not in (worker.tools or ())]


def _is_on(tool: str, server: str) -> bool:
    match = TOOL_NAME.fullmatch(tool)
    return match is not None and match["server"] == server


def _arguments(fleet: Fleet, tool: str) -> Mapping[str, Any]:
    return fleet.schema(tool).get("properties", {})


def _bad_bound(worker: Worker, argument: str, why: str) -> Failure:
    return Failure("bad_bound", f"{worker.name}: bound `{argument}`: {why}.", "Correct `bounds` in the worker's file.")
