"""What people answer to the questions of steps, from any process; the journal takes the first answer."""

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
    """A question as people are shown it: what steps before it said is in `arguments`, since models wrote it."""
    found = question_approval(span)
    state = "expired" if found["state"] == "withdrawn" else found["state"]
    facts = {**run.inputs, "question": span.attributes["question"]}
    seen = {"arguments": span.attributes["said"], "facts": facts, "requester": run.playbook, "run": run.run_id}
    about = {"tool": span.name, "created_at": found["asked_at"], "decided_by": found["by"]}
    return Approval.model_validate({**found, **seen, **about, "state": state})


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
    """Decide about a question, once, and tell the run, which hears of it now or when it is taken up again.

    Args:
        url: of the engine's database.

    Raises:
        Failure: `approval_decided`, `approval_expired`: nothing was changed.
    """
    given: JsonObject = {"state": {"approve": "approved", "reject": "rejected"}[decision], "by": by, "reason": reason}
    kept, first = await record_decision(journal, span.span_id, given)
    if kept["state"] in ("approved", "rejected"):  # also of somebody who was cut off before telling
        await deliver(url, kept["approval_id"], kept)
    if not first:
        message = f"{kept['approval_id']} is decided: {kept['state']}{kept['by'] and ' by '}{kept['by'] or ''}."
        raise Failure("approval_decided", message, "The first decision is the one.")


async def deliver(url: str, approval_id: str, kept: JsonObject) -> None:
    """Send the step the answer that the journal has; it hears it once, however often it is sent."""
    run_id, _, step_id = approval_id.partition("/")
    said = {name: kept[name] for name in ("state", "by", "reason")}

    def send() -> None:
        with workflow_client(url) as client:
            client.send(f"{run_id}/step-{step_id}", said, TOPIC, idempotency_key=TOPIC)

    await asyncio.to_thread(send)


def question_approval(span: Span) -> JsonObject:
    """The question, as the journal keeps it."""
    found = span.attributes["approval"]
    assert isinstance(found, dict)
    return found
