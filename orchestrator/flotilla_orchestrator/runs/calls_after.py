"""Makes the calls that a playbook names in `after`, once a run has its result, such as one that records the case.

No model makes them, no person is asked for them, each has a mandate for itself alone, and none of them fails the run.
How each ended is a span of the run.
"""

import asyncio
import logging

from flotilla_kit.effects import faults
from flotilla_rehearsal import template
from pydantic import JsonValue

from ..config.playbooks import ToolCall
from ..durable.workflow import step, workflow_id
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.journal import Span, span_id_for
from .agent_session import internal_failure
from .context import RunContext

_ATTEMPTS, _PAUSE_S = 3, 1  # the key of its effect is the same each time

logger = logging.getLogger(__name__)


async def make_calls_after(context: RunContext, run: Span, lookups: JsonObject, task: str, output: JsonObject) -> None:
    """Make the calls of the run's playbook, one after the other.

    Args:
        task: the task of the run, or the text of the further turn.
    """
    for name, call in context.playbook.after.items():
        values: JsonObject = {"task": task, "inputs": context.request.inputs, "lookups": lookups, "output": output}
        await _make_call(context, run, lookups, values, name, call)


async def _make_call(
    context: RunContext, run: Span, lookups: JsonObject, values: JsonObject, name: str, call: ToolCall
) -> None:
    key, journal = f"{workflow_id()}/after-{name}", context.resources.journal
    span = Span(
        context.request.run_id,
        run.span_id,
        "tool",
        call.tool_name,
        {"tool": call.tool, "after": name},
        span_id_for(key),
    )
    await journal.begin(span)
    try:
        # The span keeps when it began, so a process that resumes the run passes the same.
        of_run: JsonValue = {"id": workflow_id(), "ended_at": span.started_at}
        checked = context.guardrails.check_call(call.tool, _render(call, {**values, "run": of_run}), "output")
        span.attributes |= {"arguments": checked.value, **checked.attributes}
        arguments = checked.require()
        await step(f"after-{name}", _call, context, lookups, call, arguments, key)
    except Failure as failure:
        span.attributes["error"] = failure.as_dict()
    except Exception as error:  # the result stands
        logger.exception("a call after a run failed")
        span.attributes["error"] = internal_failure(error).as_dict()
    await journal.end(span, "failed" if "error" in span.attributes else "ok")


def _render(call: ToolCall, values: JsonObject) -> JsonObject:
    try:
        return {name: template.render(value, values) for name, value in call.arguments.items()}
    except template.TemplateError as error:
        raise Failure("bad_template", f"{error}.", "Correct `after` in the playbook.") from error


async def _call(
    context: RunContext, lookups: JsonObject, call: ToolCall, arguments: JsonObject, key: str
) -> JsonObject:
    assert call.server, "checked when the config was loaded"
    server, mandates = context.resources.fleet.servers[call.server], context.mandates(lookups)
    for number in range(_ATTEMPTS):
        try:
            token = mandates.call_token(context.playbook.name, call, arguments)
            answer = await context.steering.unless_cancelled(server.call(token, call.tool_name, arguments, key))
            faults.point("after_called")
            return answer or {}
        except Failure as failure:
            if not failure.retryable or number + 1 == _ATTEMPTS:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("unreachable: the last try returns or raises")
