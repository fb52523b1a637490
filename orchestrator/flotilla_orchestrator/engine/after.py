"""The calls that a playbook has made once a run has its result, such as one that records the case.

They are the run's own: no model makes them, nobody is asked for them, each has a mandate for itself alone, and none of
them fails the run. How each ended is a span of the run.
"""

import asyncio
import logging

from dbos import DBOS
from flotilla_kit.effects import faults
from flotilla_rehearsal import template
from pydantic import JsonValue

from ..config.config import ToolCall
from ..errors import Failure
from ..records.journal import Span, named
from .agents import internal_error
from .cases import Case
from .durable import step
from .kept import Said

_TRIES, _PAUSE_S = 3, 1  # the key of its effect is the same each time

logger = logging.getLogger(__name__)


async def after(case: Case, run: Span, lookups: Said, task: str, output: Said) -> None:
    """Make the calls of the run's playbook, one after the other.

    Args:
        task: what was asked, by the turn that follows if it is one.
    """
    for name, call in case.playbook.after.items():
        known: Said = {"task": task, "inputs": case.order.inputs, "lookups": lookups, "output": output}
        await _after(case, run, lookups, known, name, call)


async def _after(case: Case, run: Span, lookups: Said, known: Said, name: str, call: ToolCall) -> None:
    key, journal = f"{DBOS.workflow_id}/after-{name}", case.means.journal
    span = Span(case.order.run_id, run.span_id, "tool", call.short, {"tool": call.tool, "after": name}, named(key))
    await journal.begin(span)
    try:
        # The span keeps when it began, so a process that takes the run up says the same.
        of_run: JsonValue = {"id": str(DBOS.workflow_id), "ended_at": span.started_at}
        arguments = _filled(call, {**known, "run": of_run})
        span.attributes["arguments"] = arguments
        await step(f"after-{name}", _called, case, lookups, call, arguments, key)
    except Failure as failure:
        span.attributes["error"] = failure.as_dict()
    except Exception:  # the case stands, whatever it was
        logger.exception("a call after a run failed")
        span.attributes["error"] = internal_error().as_dict()
    await journal.end(span, "failed" if "error" in span.attributes else "ok")


def _filled(call: ToolCall, known: Said) -> Said:
    try:
        return {name: template.render(value, known) for name, value in call.arguments.items()}
    except template.TemplateError as error:
        raise Failure("bad_template", f"{error}.", "Correct `after` in the playbook.") from error


async def _called(case: Case, lookups: Said, call: ToolCall, arguments: Said, key: str) -> Said:
    assert call.server, "checked when the config was loaded"
    server, mandates = case.means.fleet.servers[call.server], case.mandates(lookups)
    for number in range(_TRIES):
        try:
            token = mandates.call_token(case.playbook.name, call, arguments)
            answer = await case.steering.unless_cancelled(server.call(token, call.short, arguments, key))
            faults.point("after_called")
            return answer or {}
        except Failure as failure:
            if not failure.retryable or number + 1 == _TRIES:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("unreachable: the last try returns or raises")
