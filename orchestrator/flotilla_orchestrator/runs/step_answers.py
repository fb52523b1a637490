"""What people answer to the questions of steps, from any process; the journal takes the first answer."""

import asyncio
from typing import Literal

from ..durable.workflow_store import Said, connected
from ..errors import Failure
from ..fleet.approvals import Approval
from ..journal.decisions import keep
from ..journal.journal import Journal, Run, Span, named
from ..run_request import RunRequest

TOPIC = "decision"


def approval_of(run: Run | RunRequest, span: Span) -> Approval:
    """A question as people are shown it: what steps before it said is in `arguments`, since models wrote it."""
    found = asked_in(span)
    state = "expired" if found["state"] == "withdrawn" else found["state"]
    facts = {**run.inputs, "question": span.attributes["question"]}
    seen = {"arguments": span.attributes["said"], "facts": facts, "requester": run.playbook, "run": run.run_id}
    about = {"tool": span.name, "created_at": found["asked_at"], "decided_by": found["by"]}
    return Approval.model_validate({**found, **seen, **about, "state": state})


async def question_span(journal: Journal, run_id: str, step_id: str) -> Span:
    """Raises Failure `unknown_approval`: that step of that run asks nothing, or not yet."""
    span = await journal.span(named(f"{run_id}/step-{step_id}"))
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
    given: Said = {"state": {"approve": "approved", "reject": "rejected"}[decision], "by": by, "reason": reason}
    kept, first = await keep(journal, span.span_id, given)
    if kept["state"] in ("approved", "rejected"):  # also of somebody who was cut off before telling
        await tell(url, kept["approval_id"], kept)
    if not first:
        message = f"{kept['approval_id']} is decided: {kept['state']}{kept['by'] and ' by '}{kept['by'] or ''}."
        raise Failure("approval_decided", message, "The first decision is the one.")


async def tell(url: str, approval_id: str, kept: Said) -> None:
    """Send the step the answer that the journal has; it hears it once, however often it is sent."""
    run_id, _, step_id = approval_id.partition("/")
    said = {name: kept[name] for name in ("state", "by", "reason")}

    def send() -> None:
        with connected(url) as client:
            client.send(f"{run_id}/step-{step_id}", said, TOPIC, idempotency_key=TOPIC)

    await asyncio.to_thread(send)


def asked_in(span: Span) -> Said:
    """The question, as the journal keeps it."""
    found = span.attributes["approval"]
    assert isinstance(found, dict)
    return found
