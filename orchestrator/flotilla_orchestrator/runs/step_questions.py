"""A step that asks a person. What waits is a row in a database: no session, no server, no place in a queue.

No server holds the question, so the journal does: it takes the first decision, and a message brings it to the step,
now or when the run is taken up again.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from flotilla_kit.effects import faults

from ..durable.executor import executor
from ..durable.workflow import durable, receive, send, workflow_id
from ..durable.workflow_store import Said
from ..errors import Failure
from ..journal.journal import Journal, Span, Status, named, now
from ..sessions.decisions import STEPS, Pending
from .context import Case
from .process import process
from .step_answers import TOPIC, approval_of, asked_in, tell
from .step_result import Done, Work

_ON_ITS_WAY_S = 5  # a decision taken in time is heard, though the message comes a moment later
_ENDS: dict[str, Status] = {
    "approved": "ok", "rejected": "denied", "expired": "failed", "withdrawn": "interrupted"
}  # fmt: skip

logger = logging.getLogger(__name__)


@durable("question")
async def question(work: Work) -> Done:
    """A step that asks a person to its end."""
    async with process().contexts.use(work.order) as case:
        return await _question(case, work)


async def _question(case: Case, work: Work) -> Done:
    one, journal, run_id = work.step, case.means.journal, case.order.run_id
    attributes: Said = {"step": one.id, "question": work.question, "said": work.said}
    span = Span(run_id, work.parent_id, "approval", one.id, attributes, named(workflow_id()))
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
        heard: Said | None = await receive(TOPIC, one.expires_hours * 3600 + _ON_ITS_WAY_S)
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
            await tell(executor().database, approval.approval_id, asked_in(span))
    except Exception:  # the question can still be answered from elsewhere
        logger.exception("a question could not be asked")


async def _ended(journal: Journal, span: Span, heard: Said) -> Done:
    said, state, why = asked_in(span), str(heard["state"]), str(heard["reason"] or "")
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
    await send(name, {"state": "withdrawn", "by": None, "reason": None}, TOPIC)
