"""Starts workers while the answer of their lead that delegates to them is still on its way.

Only where one is certain to be used: its lead may delegate to it, the run can give each of as many tasks as a call
takes all that the worker's own limits allow (a CLI is told its turns and dollars when it starts), and a slot is free.
Nothing of it is recorded: whatever becomes of it, a worker that finds none of its own starts then.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flotilla_kit.effects import faults

from ..journal.allowances import Allowance
from ..journal.journal import span_id_for
from ..sessions.call_recorder import call_span_id
from ..sessions.deadline import Deadline
from ..sessions.delegation_tools import DELEGATE, MAX_TASKS
from .agent_task import AgentTask
from .context import RunContext
from .delegations import session_name
from .live_session import LiveSession
from .process import process

_WORKER = re.compile(r'"worker"\s*:\s*"([^"\\]*)"')  # within a text the quotes are escaped


class EarlyWorkers:
    """Those of one part of a lead's session.

    Args:
        lead: the name of the session's workflow.
        start: starts the session of a worker without its task, by the name of its workflow.
    """

    def __init__(
        self,
        context: RunContext,
        agent_task: AgentTask,
        lead: str,
        start: Callable[[RunContext, AgentTask, str, Deadline], LiveSession],
    ) -> None:
        self._context, self._task, self._lead, self._start = context, agent_task, lead, start
        self._block, self._call, self._arguments = -1, "", ""
        self._seen: list[str] = []

    async def read(self, event: Mapping[str, Any]) -> None:
        """An event of the lead's answer; of its calls of `delegate` only the first is made."""
        match event:
            case {"type": "message_start"}:
                await self.end()
            case {"type": "content_block_start", "index": int(block), "content_block": {"name": name, "id": call}}:
                if name == DELEGATE and not self._call:
                    self._block, self._call = block, call_span_id(self._task.span_id, call)
            case {"type": "content_block_delta", "index": self._block, "delta": {"partial_json": str(text)}}:
                self._arguments += text
                for worker in _WORKER.findall(self._arguments)[len(self._seen) : MAX_TASKS]:
                    name = session_name(self._lead, self._call, len(self._seen))
                    self._seen.append(span_id_for(name))
                    await self._start_if_certain(worker, name, span_id_for(name))
            case _:
                pass

    async def end(self) -> None:
        """End those that no worker has taken."""
        untaken = [self._context.early_sessions.pop(span_id, None) for span_id in self._seen]
        self._block, self._call, self._arguments, self._seen = -1, "", "", []
        for session in filter(None, untaken):
            await session.end()

    async def _start_if_certain(self, worker: str, name: str, span_id: str) -> None:
        context, config, lead = self._context, self._context.resources.config, self._task
        if worker not in config.workers[lead.worker].delegates or lead.depth >= config.fleet.limits.delegation_depth:
            return
        if config.workers[worker].delegates or config.workers[worker].transfers:
            return  # its own calls wait in the part that has begun
        own = config.workers[worker].limits.with_defaults(config.fleet.limits.session)
        if not await context.ledger.allows(lead.request.run_id, own, MAX_TASKS):
            return
        assert own.max_turns and own.budget_usd and own.wall_clock_s, "a session's limits are complete"
        deadline = Deadline(own.wall_clock_s, await context.deadline_of(lead.span_id))
        allowance = Allowance(own.max_turns, own.budget_usd, own.wall_clock_s)
        task = AgentTask(
            lead.request, lead.lookups, span_id, self._call, lead.span_id, worker, "", allowance, depth=lead.depth + 1
        )
        shared = process()
        free = shared.session_queue is None and shared.slots.live < config.fleet.concurrency
        if free and not context.steering.paused and span_id not in context.early_sessions:
            context.early_sessions[span_id] = self._start(context, task, name, deadline)
            faults.point("early_started")
