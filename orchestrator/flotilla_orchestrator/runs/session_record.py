"""Records the end of a session in its span, and makes what others may see of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from ..config.schemas import schema_problem
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.artifacts import Artifact
from ..journal.journal import Span, Status
from ..mandates.guardrails import merged
from ..sessions.delegation_tools import MAX_REPORT_CHARS, Task
from ..sessions.session_audit import HEAD, SessionAudit
from ..sessions.types import SessionResult
from .context import RunContext


async def end_session(context: RunContext, span: Span, result: SessionResult) -> None:
    copy_usage(span, result)
    if context.request.model == "claude" and result.model:
        span.attributes["model"] = result.model
    span.attributes.pop("error", None)  # of an earlier process
    if result.failure:
        span.attributes["error"] = result.failure.as_dict()
    interrupted = result.failure is not None and result.failure.code == "interrupted"
    spans = await context.resources.journal.spans(span.run_id)
    within = [one for one in spans if one.parent_id == span.span_id]
    for call in within:
        waits = interrupted and call.status == "waiting"  # a person may decide while nothing of the run is at work
        if not call.ended_at and not waits:
            await context.resources.journal.end(call, "interrupted")
    status = status_of(result.failure)
    found: list[JsonValue] = [{"name": one["name"], "effect": one["effect"]} for one in result.guardrails]
    span.attributes[HEAD] = SessionAudit(context.resources.folder, span).write(
        "session_interrupted" if interrupted else "session_ended",
        status=status,
        turns=span.turns,
        cost_usd=span.cost_usd,
        guardrails=found,
    )
    await context.resources.journal.end(span, status)
    if context.resources.traces:
        context.resources.traces.send_session(span, [call for call in within if call.kind != "session"])


def guarded(context: RunContext, schema: Mapping[str, Any] | None, result: SessionResult) -> SessionResult:
    """The result of a part as its lead, other steps and people may see it."""
    checked = context.guardrails.check("output", {"text": result.text, "structured": result.structured})
    if not checked.triggered:
        return result
    text, structured, failure = checked.value["text"], checked.value["structured"], result.failure
    if not result.pending_call:
        failure = failure or checked.refusal
        if structured is not None and schema and not failure and (problem := schema_problem(structured, schema)):
            failure = Failure("invalid_output", f"Redacted, the result does not fit its schema: {problem}")
    structured = None if failure else structured
    return replace(result, text=text, structured=structured, failure=failure, guardrails=checked.triggered)


def status_of(failure: Failure | None) -> Status:
    match failure and failure.code:
        case None:
            return "ok"
        case "interrupted" | "cancelled" as code:
            return code
        case _:
            return "failed"


def copy_usage(span: Span, result: SessionResult) -> None:
    if result.guardrails:
        span.attributes["guardrails"] = merged(span.attributes.get("guardrails"), result.guardrails)
    if result.turns or not span.turns:
        span.turns, span.cost_usd = result.turns, result.cost_usd
        span.input_tokens, span.output_tokens = result.input_tokens, result.output_tokens


def report_of(task: Task, result: SessionResult, written: Sequence[Artifact]) -> JsonObject:
    """The report of a task to its lead, with the names of artifacts in place of their texts."""
    named: list[JsonValue] = [{"name": artifact.name, "bytes": artifact.size} for artifact in written]
    return {
        "worker": task.worker,
        "status": "failed" if result.failure else "ok",
        "report": result.text[:MAX_REPORT_CHARS],
        "turns": result.turns,
        "cost_usd": result.cost_usd,
        "error": result.failure.as_dict() if result.failure else None,
        **({"artifacts": named} if named else {}),
        **({"done": [*result.side_effects]} if result.failure else {}),
    }
