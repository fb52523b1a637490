"""The workflow of a step that asks a person. While it waits, it holds no session, no server and no place in a queue.

The question is in the journal, which takes the first decision; a message brings it to the step, now or when the run is
resumed.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from flotilla_kit.effects import faults

from ..durable.executor import executor
from ..durable.workflow import receive, send, workflow, workflow_id
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.journal import Journal, Span, Status, now, span_id_for
from ..sessions.decisions import STEP_QUESTIONS, DecisionRequest
from .context import RunContext
from .process import process
from .step_answers import TOPIC, approval_of, deliver, question_approval
from .step_result import StepQuestion, StepResult

_DELIVERY_S = 5  # a decision made in time counts, though its message comes a moment later
_STATUS: dict[str, Status] = {
    "approved": "ok", "rejected": "denied", "expired": "failed", "withdrawn": "interrupted"
}  # fmt: skip

logger = logging.getLogger(__name__)


@workflow("question")
async def ask_question(step_question: StepQuestion) -> StepResult:
    """Ask a person and wait for the decision."""
    async with process().contexts.use(step_question.request) as context:
        return await _question(context, step_question)


async def _question(context: RunContext, step_question: StepQuestion) -> StepResult:
    one_step, journal, run_id = step_question.step, context.resources.journal, context.request.run_id
    attributes: JsonObject = {"step": one_step.id, "question": step_question.question, "said": step_question.summaries}
    span = Span(run_id, step_question.parent_span_id, "approval", one_step.id, attributes, span_id_for(workflow_id()))
    await journal.begin(span)
    if step_question.unfilled:
        span.attributes["error"] = step_question.unfilled.as_dict()
        await journal.end(span, "failed")
        return StepResult.failed(one_step.id, step_question.unfilled)
    until = datetime.now(UTC) + timedelta(hours=one_step.expires_hours)
    approval: JsonObject = {"approval_id": f"{run_id}/{one_step.id}", "of": step_question.question, "asked_at": now()}
    approval |= {"expires_at": until.isoformat(timespec="milliseconds")}
    approval |= {"state": "pending", "by": None, "reason": None, "decided_at": None}
    span.attributes.setdefault("approval", approval)
    span.status = "waiting"
    await journal.change(span)
    faults.point("asked")
    notifying = asyncio.create_task(_notify(context, span))
    try:
        decision: JsonObject | None = await receive(TOPIC, one_step.expires_hours * 3600 + _DELIVERY_S)
    finally:
        notifying.cancel()
        await asyncio.gather(notifying, return_exceptions=True)
    faults.point("answered")
    return await _result_of(journal, span, decision or {"state": "expired", "by": None, "reason": None})


async def _notify(context: RunContext, span: Span) -> None:
    """Show the question to people, unless one has decided while no process worked on the run."""
    try:
        approval = approval_of(context.request, span)
        if approval.state == "pending":
            await context.resources.notify(DecisionRequest(STEP_QUESTIONS, "", approval))
        else:
            await deliver(executor().database, approval.approval_id, question_approval(span))
    except Exception:  # the question can still be answered from elsewhere
        logger.exception("a question could not be asked")


async def _result_of(journal: Journal, span: Span, decision: JsonObject) -> StepResult:
    approval, state, reason = question_approval(span), str(decision["state"]), str(decision["reason"] or "")
    span.attributes["approval"] = {**approval, **decision, "decided_at": now()}
    await journal.end(span, _STATUS[state])
    match state:
        case "approved":
            return StepResult("ok", f"Approved by {decision['by']}{reason and ': '}{reason}")
        case "rejected":
            message = f"{decision['by']} refused it: {reason or 'no reason was given'}"
            failure = Failure("approval_rejected", message, "Nothing that needs it was begun.")
        case "expired":
            message = f"Nobody decided until {approval['expires_at']}."
            failure = Failure("approval_expired", message, "Nothing that needs it was begun.")
        case _:
            failure = Failure("withdrawn", "Another step failed before anybody decided.")
    return StepResult.failed(span.name, failure)


async def withdraw(name: str) -> None:
    """End a question that needs no answer any more; called from the run's workflow."""
    await send(name, {"state": "withdrawn", "by": None, "reason": None}, TOPIC)
