"""The calls by which sessions and their workers have changed something, or may have, from the spans of the calls."""

import json
from collections.abc import Collection, Iterator, Sequence

from pydantic import JsonValue

from ..config.fields import GATE, TOOL_NAME
from ..durable.workflow_store import JsonObject
from ..journal.journal import Span
from .context import RunContext

_MAX_CALLS = 20  # of a report
_ARGUMENT_CHARS = 120


async def changing_calls(context: RunContext, sessions: Collection[str]) -> list[Span]:
    """Calls in these sessions, and below them, of tools that do not only read."""
    spans = await context.resources.journal.spans(context.request.run_id)
    return [span for span in _descendants(spans, sessions) if span.kind == "tool" and not _reads_only(context, span)]


def may_have_changed(calls: Sequence[Span]) -> bool:
    """A denied call never ran; any other may have had its effect, even if it failed."""
    return any(call.status != "denied" for call in calls)


def call_summaries(calls: Sequence[Span]) -> list[JsonObject]:
    """The newest calls for a lead's report, oldest first; `unknown`: no result came."""
    return [
        {
            "tool": call.attributes.get("tool"),
            "status": call.status if call.status in ("ok", "failed", "denied") else "unknown",
            "arguments": _shortened(call.attributes.get("arguments")),
        }
        for call in calls[-_MAX_CALLS:]
    ]


def _descendants(spans: Sequence[Span], sessions: Collection[str]) -> Iterator[Span]:
    inside = set(sessions)
    while more := {span.span_id for span in spans if span.parent_id in inside} - inside:
        inside |= more
    return (span for span in spans if span.span_id in inside)


def _reads_only(context: RunContext, call: Span) -> bool:
    """Whether a call's tool changes nothing; unknown tools are taken to change something, artifact tools are not."""
    name = TOOL_NAME.fullmatch(str(call.attributes.get("tool")))
    if name and name["server"] == GATE:
        return True
    server = context.resources.fleet.servers.get(name["server"]) if name else None
    tool = server.tools.get(name["tool"]) if server and name else None
    return tool is not None and tool.read_only


def _shortened(arguments: JsonValue) -> JsonObject:
    """As texts, so that whatever is nested is bounded too."""
    given = arguments.items() if isinstance(arguments, dict) else ()
    return {
        name: (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_ARGUMENT_CHARS]
        for name, value in given
    }
