"""A worker's session to its end: part after part, with what it waits for in between. Who waits, for a person or for
workers, is a row in a database and a coroutine, and holds no process and no place in the queue.
"""

import logging
from dataclasses import replace

from flotilla_kit.effects import faults

from ..durable.workflow import Handle, step
from ..durable.workflow_store import Said
from ..errors import Failure
from ..fleet.approvals import Approval
from ..journal.allowances import Used
from ..journal.journal import Span
from ..sessions.call_recorder import Calls
from ..sessions.decisions import Pending, decision
from ..sessions.types import Delegated, SessionResult, Waiting
from .agent_task import Job
from .circuit_checks import admitted, missed
from .context import Case
from .delegations import Tasks, reports
from .process import process
from .session_parts import listener, session
from .session_record import count, end

logger = logging.getLogger(__name__)


async def attempt(case: Case, job: Job, name: str, agent: Tasks) -> SessionResult:
    """A worker's session to its end; a failure is in the result.

    Args:
        name: what its parts are called after.
        agent: does a task that it delegates.
    """
    journal, result = process().journal, SessionResult(failure=Failure("interrupted", "The run was interrupted."))
    attributes: Said = {"task": job.task, "model": case.order.model, **job.about}
    attributes["version"] = case.worker(job).version
    if job.attempt > 1:
        attributes |= {"attempt": job.attempt, "why": job.why}
    span = Span(case.order.run_id, job.parent_id, "session", job.worker, attributes, job.span_id)
    await journal.begin(span)
    try:
        if (refused := await admitted(case, job)) is None:
            result = await _Agent(case, job, span, name, agent).run()
            await missed(case, span, result)
        else:
            result = SessionResult(failure=refused, cost_usd=0.0)
            await case.ledger.note(job.span_id, Used(0, 0, 0, 0.0))
    except Exception:  # one worker must not take its siblings with it
        logger.exception("worker failed")
        result = SessionResult(failure=internal_error())
    finally:
        await end(case, span, result)
    return result


class _Agent:
    def __init__(self, case: Case, job: Job, span: Span, name: str, agent: Tasks) -> None:
        self._case, self._job, self._span = case, job, span
        self._name, self._agent = name, agent

    async def run(self) -> SessionResult:
        total, number, say = SessionResult(), 0, self._job.say
        try:
            while True:
                number += 1
                await self._case.steering.clear()
                total = total.then(await (await self._begun(number, total, say)).result())
                faults.point("part_recorded")
                await self._note(total)
                if not total.held:
                    say = await self._told(total)
                    if not say:
                        return total
                if total.delegated and total.delegated.transfer:
                    await Calls(process().journal, self._span).call_ended(total.delegated.tool_use_id, "ok")
                    return total
                self._job.allowance.left(total.turns, total.cost_usd)  # before anybody is asked in vain
                if total.waiting:
                    total = replace(total, waiting=await self._decided(total.waiting))
                elif total.delegated:
                    total = replace(total, delegated=await self._reported(total.delegated))
        except Failure as failure:
            return replace(total, failure=failure, waiting=None, delegated=None)

    async def _begun(self, number: int, total: SessionResult, say: str) -> Handle[SessionResult]:
        """The next part."""
        name, queue = f"{self._name}#{number}", process().session_queue
        if queue is None:
            return await session.start(name, self._job, total, say)
        first = number == 1 and self._job.awaited_by is None  # what has begun is finished before more is begun
        return await session.enqueue(queue, name, first, self._job, total, say)

    async def _told(self, total: SessionResult) -> str:
        """What people have said to a lead that came to its end before it could hear it: it goes on with that."""

        async def told() -> str:
            return "" if total.failure else (await listener(self._case, self._job)).told()

        return await step("told", told) if self._job.result_wanted else ""

    async def _note(self, total: SessionResult) -> None:
        count(self._span, total)
        await process().journal.change(self._span)
        used = Used(total.turns, total.input_tokens, total.output_tokens, total.cost_usd)
        await self._case.ledger.note(self._job.span_id, used)

    async def _decided(self, waiting: Waiting) -> Waiting:
        case, url = self._case, self._case.means.fleet.servers[waiting.server].url

        async def decided() -> Approval:
            asks = case.agent(self._job).approvals(waiting.server)
            pending = Pending(waiting.server, url, waiting.approval)
            faults.point("waiting")
            decided = decision(asks, pending, case.means.ask)
            return await case.steering.unless_cancelled(decided)

        found = await step("decision", decided)
        faults.point("decided")
        await Calls(process().journal, self._span).call_decided(waiting.tool_use_id, found)
        return replace(waiting, approval=found)

    async def _reported(self, delegated: Delegated) -> Delegated:
        return replace(delegated, reports=await reports(self._case, self._job, self._name, delegated, self._agent))


def internal_error() -> Failure:
    return Failure("internal_error", "Something went wrong in the orchestrator.")
