"""Records and delivers people's answers to the questions of steps, from any process; the first answer counts."""

import asyncio
from typing import Literal

from ..durable.workflow_store import JsonObject, workflow_client
from ..errors import Failure
from ..fleet.approvals import Approval
from ..journal.decisions import record_decision
from ..journal.journal import Journal, Run, Span, span_id_for
from ..run_request import RunRequest

TOPIC = "decision"


def approval_of(run: Run | RunRequest, span: Span) -> Approval:
    """A question as an approval: the summaries of earlier steps are in `arguments`, since models wrote them."""
    found = question_approval(span)
    state = "expired" if found["state"] == "withdrawn" else found["state"]
    facts = {**run.inputs, "question": span.attributes["question"]}
    shown = {"arguments": span.attributes["said"], "facts": facts, "requester": run.playbook, "run": run.run_id}
    about = {"tool": span.name, "created_at": found["asked_at"], "decided_by": found["by"]}
    return Approval.model_validate({**found, **shown, **about, "state": state})


async def question_span(journal: Journal, run_id: str, step_id: str) -> Span:
    """Raises Failure `unknown_approval`: that step of that run asks nothing, or not yet."""
    span = await journal.span(span_id_for(f"{run_id}/step-{step_id}"))
    if span is None or "approval" not in span.attributes:
        message = f"No step `{step_id}` of {run_id} has asked anything."
        raise Failure("unknown_approval", message, f"See `flotilla runs`, or `flotilla trace {run_id}`.")
    return span


async def decide(
    journal: Journal, url: str, span: Span, decision: Literal["approve", "reject"], by: str, reason: str
) -> None:
    """Decide about a question, once, and send the decision to the run, which gets it now or when it is resumed.

    Args:
        url: of the workflow store.

    Raises:
        Failure: `approval_decided`, `approval_expired`: nothing was changed.
    """
    decision_record: JsonObject = {
        "state": {"approve": "approved", "reject": "rejected"}[decision],
        "by": by,
        "reason": reason,
    }
    recorded, first = await record_decision(journal, span.span_id, decision_record)
    if recorded["state"] in ("approved", "rejected"):  # also one whose process ended before it was sent
        await deliver(url, recorded["approval_id"], recorded)
    if not first:
        decided = f"{recorded['state']}{recorded['by'] and ' by '}{recorded['by'] or ''}"
        message = f"{recorded['approval_id']} is decided: {decided}."
        raise Failure("approval_decided", message, "The first decision is the one.")


async def deliver(url: str, approval_id: str, recorded: JsonObject) -> None:
    """Send the step the decision that the journal has; it is delivered once, however often it is sent."""
    run_id, _, step_id = approval_id.partition("/")
    message_body = {name: recorded[name] for name in ("state", "by", "reason")}

    def send() -> None:
        with workflow_client(url) as client:
            client.send(f"{run_id}/step-{step_id}", message_body, TOPIC, idempotency_key=TOPIC)

    await asyncio.to_thread(send)


def question_approval(span: Span) -> JsonObject:
    """The question, as the journal has it."""
    found = span.attributes["approval"]
    assert isinstance(found, dict)
    return found
