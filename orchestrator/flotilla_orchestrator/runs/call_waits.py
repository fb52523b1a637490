"""Waits for a decision or for workers' reports while the session that needs them lives.

So the session continues without another start of the CLI. If that takes long, or another session needs its slot, it
ends in front of the call and is resumed later; workers that have begun continue meanwhile.
"""

import asyncio
import time
from contextvars import Context
from dataclasses import replace

from flotilla_kit.effects import faults

from ..errors import Failure
from ..sessions.call_recorder import CallRecorder
from ..sessions.decisions import DecisionRequest, wait_for_decision
from ..sessions.types import PendingApproval, PendingCall, PendingDelegation
from .agent_task import AgentTask
from .context import RunContext
from .delegations import run_tasks
from .process import process

_POLL_S = 0.2  # how often slots and steering are checked


class CallWaits:
    """The waits of one part of a session.

    Args:
        lead: the name of the session's workflow, after which those of its workers are called.
        seconds: how long all of them may take together.
    """

    def __init__(
        self, context: RunContext, agent_task: AgentTask, lead: str, recorder: CallRecorder, seconds: float
    ) -> None:
        self._context, self._task, self._lead = context, agent_task, lead
        self._recorder, self._left_s = recorder, seconds
        self._delegations: list[asyncio.Task[PendingCall]] = []

    async def wait(self, call: PendingCall) -> PendingCall | None:
        """The call with what it needs; None: not in time, or not here."""
        # Outside of the part's workflow: else DBOS would record what is started here as steps of it.
        return await asyncio.create_task(self._wait(call), context=Context())

    async def _wait(self, call: PendingCall) -> PendingCall | None:
        match call:
            case PendingApproval():
                waiting = asyncio.create_task(self._decided(call))
            case PendingDelegation(transfer=False):
                waiting = asyncio.create_task(self._reported(call))
                self._delegations.append(waiting)
            case _:
                return None
        faults.point("call_waits")
        began = time.monotonic()
        try:
            while not waiting.done():
                left_s = self._left_s - (time.monotonic() - began)
                if left_s <= 0 or self._context.steering.paused or await process().slots.wanted():
                    return None
                await asyncio.wait([waiting], timeout=min(left_s, _POLL_S))
            return waiting.result()
        except Failure:
            return None  # it is raised again once the session has ended in front of the call
        finally:
            self._left_s -= time.monotonic() - began
            if isinstance(call, PendingApproval):
                waiting.cancel()
            faults.point("call_waited")

    async def end(self, *, deferred: bool) -> None:
        """Wait for workers that have begun, unless the session was deferred and gets their reports later."""
        if not deferred:
            await asyncio.gather(*self._delegations, return_exceptions=True)

    async def _decided(self, call: PendingApproval) -> PendingCall:
        agent, server = self._context.agent(self._task), self._context.resources.fleet.servers[call.server]
        request = DecisionRequest(call.server, server.url, call.approval)
        approval = await wait_for_decision(
            agent.approvals_of(call.server), request, self._context.resources.notify, continued=True
        )
        await self._recorder.call_decided(call.tool_use_id, approval)
        return replace(call, approval=approval)

    async def _reported(self, call: PendingDelegation) -> PendingCall:
        reports = await run_tasks(self._context, self._task, self._lead, call)
        return replace(call, reports=reports)
