"""The journal's spans in the words of OpenTelemetry's conventions for generative AI and MCP."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from pydantic import JsonValue

from ..config.fields import GATE, TOOL_NAME
from ..journal.journal import Span, session_id

_PROVIDER = "anthropic"
_CODE = re.compile(r"[a-z][a-z_]{1,39}")

Attributes = dict[str, str | int | float]


def name_of(span: Span) -> str:
    match span.kind:
        case "run":
            return f"invoke_workflow {span.name}"
        case "session":
            return f"invoke_agent {span.name}"
        case "approval":
            return f"approval {span.name}"
        case _:
            return f"execute_tool {span.name}"


def attributes_of(span: Span) -> Attributes:
    """Numbers, names and ids; nothing that a model or a person has written."""
    given, found = span.attributes, Attributes({"flotilla.run_id": span.run_id})
    match span.kind:
        case "run":
            found |= {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": span.name}
        case "session":
            found |= {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.provider.name": _PROVIDER,
                "gen_ai.agent.name": span.name,
                "gen_ai.conversation.id": session_id(span.span_id),
                "gen_ai.request.model": str(given.get("model")),
                "gen_ai.usage.input_tokens": span.input_tokens,
                "gen_ai.usage.output_tokens": span.output_tokens,
                "flotilla.turns": span.turns,
            }
            found |= {} if span.cost_usd is None else {"flotilla.cost_usd": span.cost_usd}
        case "tool" | "delegate":
            found |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": span.name}
            found |= _named(given, "gen_ai.tool.call.id", "tool_use_id") | _named(given, "gen_ai.agent.name", "agent")
            if server := server_of(span):
                found |= {"mcp.method.name": "tools/call", "flotilla.server": server}
        case "approval":
            pass
    if span.status != "ok":
        found["error.type"] = error_type_of(span)
    return found


def server_of(span: Span) -> str:
    """The server that a call went to; empty where it went to none."""
    tool = TOOL_NAME.fullmatch(str(span.attributes.get("tool")))
    return tool["server"] if tool and tool["server"] != GATE else ""


def error_type_of(span: Span) -> str:
    """The code of what went wrong, else how the span ended."""
    error = span.attributes.get("error")
    if isinstance(error, str):
        try:
            error = cast("JsonValue", json.loads(error))
        except ValueError:
            # A code, or a message, of which there are any number.
            return error if _CODE.fullmatch(error) else span.status
    return str(error["code"]) if isinstance(error, dict) and "code" in error else span.status


def approval_events(span: Span) -> Iterator[tuple[str, int, Attributes]]:
    """Name, time and attributes of what happened about the approval of a call."""
    approval = span.attributes.get("approval")
    if not isinstance(approval, dict):
        return
    known = _named(approval, "flotilla.approval_id", "approval_id")
    if asked_at := approval.get("asked_at"):
        yield "approval requested", nanoseconds(str(asked_at)), known
    if decided_at := approval.get("decided_at"):
        by = _named(approval, "flotilla.approval.state", "state") | _named(approval, "enduser.id", "by")
        yield "approval decided", nanoseconds(str(decided_at)), known | by


def approval_wait_s(span: Span) -> float:
    """How long a call has waited for its approval."""
    at = [moment for _, moment, _ in approval_events(span)]
    return (at[-1] - at[0]) / 1e9 if len(at) == 2 else 0.0


def nanoseconds(moment: str) -> int:
    """Unix time of a moment of the journal."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000) * 1_000_000


def _named(given: Mapping[str, Any], name: str, key: str) -> Attributes:
    return {name: str(given[key])} if given.get(key) else {}
