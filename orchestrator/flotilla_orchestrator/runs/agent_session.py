"""Runs a worker's session to its end: part after part, and between them waits for a person or for workers. A session
that waits is a row in a database and a coroutine, and holds no process and no place in the queue.
"""

import logging
from dataclasses import replace

from flotilla_kit.effects import faults
from flotilla_kit.errors import StoreUnavailable

from ..durable.workflow import Handle, step
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..fleet.approvals import Approval
from ..journal.allowances import Usage
from ..journal.journal import Span
from ..run_request import PRIORITIES
from ..sessions.call_recorder import CallRecorder
from ..sessions.decisions import DecisionRequest, wait_for_decision
from ..sessions.session_audit import SessionAudit
from ..sessions.types import PendingApproval, PendingDelegation, SessionResult
from .agent_task import AgentTask
from .circuit_checks import check_circuits, record_unavailable
from .context import RunContext
from .delegations import run_tasks
from .process import process
from .session_parts import inbox_of, session_part
from .session_record import copy_usage, end_session

logger = logging.getLogger(__name__)


async def run_session(context: RunContext, agent_task: AgentTask, name: str) -> SessionResult:
    """Run a worker's session to its end; a failure is in the result.

    Args:
        name: prefix of the names of its parts.
    """
    journal, result = process().journal, SessionResult(failure=Failure("interrupted", "The run was interrupted."))
    attributes: JsonObject = {"task": agent_task.task, "model": context.request.model, **agent_task.span_attributes}
    attributes |= {"version": context.worker(agent_task).version, "playbook": context.request.playbook}
    if agent_task.attempt > 1:
        attributes |= {"attempt": agent_task.attempt, "why": agent_task.attempt_reason}
    span = Span(
        context.request.run_id, agent_task.parent_span_id, "session", agent_task.worker, attributes, agent_task.span_id
    )
    await journal.begin(span)
    try:
        if (refused := await check_circuits(context, agent_task)) is None:
            result = await _AgentSession(context, agent_task, span, name).run()
            await record_unavailable(context, span, result)
        else:
            result = SessionResult(failure=refused, cost_usd=0.0)
            await context.ledger.record_usage(agent_task.span_id, Usage(0, 0, 0, 0.0))
    except Exception as error:  # one worker must not end its siblings
        logger.exception("worker failed")
        result = SessionResult(failure=internal_failure(error))
    finally:
        await end_session(context, span, result)
    return result


class _AgentSession:
    def __init__(self, context: RunContext, agent_task: AgentTask, span: Span, name: str) -> None:
        self._context, self._task, self._span, self._name = context, agent_task, span, name

    async def run(self) -> SessionResult:
        total, number, prompt = SessionResult(), 0, self._task.prompt
        try:
            while True:
                number += 1
                await self._context.steering.wait_while_paused()
                total = total.merge(await (await self._start_part(number, total, prompt)).result())
                faults.point("part_recorded")
                await self._record_usage(total)
                if not total.pending_call:
                    prompt = await self._unread_messages(total)
                    if not prompt:
                        return total
                if total.pending_delegation and total.pending_delegation.transfer:
                    await self._recorder().call_ended(total.pending_delegation.tool_use_id, "ok")
                    return total
                self._task.allowance.remaining(total.turns, total.cost_usd)  # raises before a person is asked
                if total.pending_approval:
                    total = replace(total, pending_approval=await self._wait_for_decision(total.pending_approval))
                elif total.pending_delegation:
                    total = replace(total, pending_delegation=await self._collect_reports(total.pending_delegation))
        except Failure as failure:
            return replace(total, failure=failure, pending_approval=None, pending_delegation=None)

    async def _start_part(self, number: int, total: SessionResult, prompt: str) -> Handle[SessionResult]:
        """The next part."""
        name, queue = f"{self._name}#{number}", process().session_queue
        if queue is None:
            return await session_part.start(name, self._task, total, prompt)
        new = number == 1 and self._task.awaited_by is None  # sessions that have begun go before new ones
        priority = PRIORITIES[self._task.request.priority] if new else 0
        return await session_part.enqueue(queue, name, priority, self._task, total, prompt)

    async def _unread_messages(self, total: SessionResult) -> str:
        """Messages to a lead that ended before they could be delivered: its session resumes with them."""

        async def unread() -> str:
            return "" if total.failure else (await inbox_of(self._context, self._task)).take_messages()

        return await step("messages", unread) if self._task.gives_run_result else ""

    async def _record_usage(self, total: SessionResult) -> None:
        copy_usage(self._span, total)
        await process().journal.change(self._span)
        usage = Usage(total.turns, total.input_tokens, total.output_tokens, total.cost_usd)
        await self._context.ledger.record_usage(self._task.span_id, usage)

    async def _wait_for_decision(self, pending: PendingApproval) -> PendingApproval:
        context, url = self._context, self._context.resources.fleet.servers[pending.server].url

        async def wait() -> Approval:
            approvals = context.agent(self._task).approvals_of(pending.server)
            request = DecisionRequest(pending.server, url, pending.approval)
            faults.point("waiting")
            wait = wait_for_decision(approvals, request, context.resources.notify)
            return await context.steering.unless_cancelled(wait)

        found = await step("decision", wait)
        faults.point("decided")
        await self._recorder().call_decided(pending.tool_use_id, found)
        return replace(pending, approval=found)

    def _recorder(self) -> CallRecorder:
        return CallRecorder(process().journal, self._span, SessionAudit(self._context.resources.folder, self._span))

    async def _collect_reports(self, delegation: PendingDelegation) -> PendingDelegation:
        return replace(delegation, reports=await run_tasks(self._context, self._task, self._name, delegation))


def internal_failure(error: Exception) -> Failure:
    """The failure that stands for an error of ours.

    Raises:
        StoreUnavailable: it is that. The database of runs has failed, which is no outcome: the run is resumed.
    """
    if isinstance(error, StoreUnavailable):
        raise error
    return Failure("internal_error", "Something went wrong in the orchestrator.")
