"""A step that asks a person. What waits is a row in a database: no session, no server, no place in a queue.

No server holds the question, so the journal does: it takes the first decision, and a message brings it to the step,
now or when the run is taken up again.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Literal

from dbos import DBOS, DBOSClient
from flotilla_kit import faults

from ..errors import Failure
from ..order import Order
from ..records.decisions import keep
from ..records.journal import Journal, Run, Span, Status, named, now
from ..servers.approvals import Approval
from ..sessions.waiting import STEPS, Pending
from .cases import Case
from .durable import Said, durable
from .here import here
from .work import Done, Work

_TOPIC = "decision"
_ON_ITS_WAY_S = 5  # a decision taken in time is heard, though the message comes a moment later
_ENDS: dict[str, Status] = {
    "approved": "ok", "rejected": "denied", "expired": "failed", "withdrawn": "interrupted"
}  # fmt: skip

logger = logging.getLogger(__name__)


@durable("question")
async def question(work: Work) -> Done:
    """A step that asks a person to its end."""
    async with here().cases.use(work.order) as case:
        return await _question(case, work)


async def _question(case: Case, work: Work) -> Done:
    one, journal, run_id = work.step, case.means.journal, case.order.run_id
    attributes: Said = {"step": one.id, "question": work.question, "said": work.said}
    span = Span(run_id, work.parent_id, "approval", one.id, attributes, named(str(DBOS.workflow_id)))
    await journal.begin(span)
    if work.unclear:
        span.attributes["error"] = work.unclear.as_dict()
        await journal.end(span, "failed")
        return Done.failed(one.id, work.unclear)
    until = datetime.now(UTC) + timedelta(hours=one.expires_hours)
    asked: Said = {"approval_id": f"{run_id}/{one.id}", "of": work.question, "asked_at": now()}
    asked |= {"expires_at": until.isoformat(timespec="milliseconds")}
    asked |= {"state": "pending", "by": None, "reason": None, "decided_at": None}
    span.attributes.setdefault("approval", asked)
    span.status = "waiting"
    await journal.change(span)
    faults.point("asked")
    asking = asyncio.create_task(_ask(case, span))
    try:
        heard: Said | None = await DBOS.recv_async(_TOPIC, one.expires_hours * 3600 + _ON_ITS_WAY_S)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    faults.point("answered")
    return await _ended(journal, span, heard or {"state": "expired", "by": None, "reason": None})


async def _ask(case: Case, span: Span) -> None:
    """Bring the question before people, unless one has decided while nobody was at work on the run."""
    try:
        approval = approval_of(case.order, span)
        if approval.state == "pending":
            await case.means.ask(Pending(STEPS, "", approval))
        else:
            await _tell(here().database, approval.approval_id, _approval(span))
    except Exception:  # the question can still be answered from elsewhere
        logger.exception("a question could not be asked")


async def _ended(journal: Journal, span: Span, heard: Said) -> Done:
    said, state, why = _approval(span), str(heard["state"]), str(heard["reason"] or "")
    span.attributes["approval"] = {**said, **heard, "decided_at": now()}
    await journal.end(span, _ENDS[state])
    match state:
        case "approved":
            return Done("ok", f"Approved by {heard['by']}{why and ': '}{why}")
        case "rejected":
            message = f"{heard['by']} refused it: {why or 'no reason was given'}"
            failure = Failure("approval_rejected", message, "Nothing that needs it was begun.")
        case "expired":
            message = f"Nobody decided until {said['expires_at']}."
            failure = Failure("approval_expired", message, "Nothing that needs it was begun.")
        case _:
            failure = Failure("withdrawn", "Another step failed before anybody decided.")
    return Done.failed(span.name, failure)


async def withdraw(name: str) -> None:
    """From the run's own workflow: the question has no point any more."""
    await DBOS.send_async(name, {"state": "withdrawn", "by": None, "reason": None}, _TOPIC)


def approval_of(run: Run | Order, span: Span) -> Approval:
    """A question as people are shown it: what steps before it said is in `arguments`, since models wrote it."""
    found = _approval(span)
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
        await _tell(url, kept["approval_id"], kept)
    if not first:
        message = f"{kept['approval_id']} is decided: {kept['state']}{kept['by'] and ' by '}{kept['by'] or ''}."
        raise Failure("approval_decided", message, "The first decision is the one.")


async def _tell(url: str, approval_id: str, kept: Said) -> None:
    run_id, _, step_id = approval_id.partition("/")
    said = {name: kept[name] for name in ("state", "by", "reason")}

    def send() -> None:
        client = DBOSClient(system_database_url=url, application_name="flotilla")
        try:
            client.send(f"{run_id}/step-{step_id}", said, _TOPIC, idempotency_key=_TOPIC)
        finally:
            client.destroy()

    await asyncio.to_thread(send)


def _approval(span: Span) -> Said:
    found = span.attributes["approval"]
    assert isinstance(found, dict)
    return found
