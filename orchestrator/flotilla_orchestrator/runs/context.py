"""What a process has open for each run that it works on: servers, model, deadlines.

They are opened by the first workflow of the run and closed after the last; another process opens its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pydantic import JsonValue

from ..config.workers import Worker
from ..fleet.run_mandates import RunMandates
from ..journal.journal import Journal
from ..journal.ledger import Ledger
from ..mandates.claims import RunFacts
from ..mandates.guardrails import Guardrails
from ..run_request import RunRequest
from ..sessions.agent import Agent, RunResources
from ..sessions.deadline import Deadline
from .agent_task import AgentTask
from .live_session import LiveSession
from .steering import Steering, SteeringWatch

_RECORD_TIME_S = 5  # how often the time worked is written; a crash loses as much

OpenResources = Callable[[RunRequest], AbstractAsyncContextManager[RunResources]]
"""Opens the resources of a run, and closes them with the block."""


class RunContext:
    """A run in this process."""

    def __init__(self, request: RunRequest, resources: RunResources, steering: Steering) -> None:
        self.request, self.resources, self.steering = request, resources, steering
        self.playbook = resources.config.playbooks[request.playbook]
        self.limits = self.playbook.limits.with_defaults(resources.config.fleet.limits.run)
        self.ledger = Ledger(resources.journal.database)
        self.guardrails = Guardrails(resources.config.guardrails, request.inputs)
        steering.redact = self._redacted
        self._mandates: RunMandates | None = None
        self._deadlines: dict[str, Deadline] = {}
        self.early_sessions: dict[str, LiveSession | None] = {}
        """Of workers whose tasks are not known yet, by their span; None: a session that has begun without one."""

    def agent(self, agent_task: AgentTask) -> Agent:
        worker = self.worker(agent_task)
        output = self.playbook.output if agent_task.gives_run_result else agent_task.output_schema
        return Agent(
            self.resources,
            self.mandates(agent_task.lookups),
            worker,
            agent_task.task,
            output,
            agent_task.continues_span_id or agent_task.span_id,
            agent_task.depth,
        )

    def worker(self, agent_task: AgentTask) -> Worker:
        worker = self.resources.config.workers[agent_task.worker]
        return worker.model_copy(update={"model": agent_task.model}) if agent_task.model else worker

    async def deadline_of(self, span_id: str) -> Deadline:
        """A worker's time, a part of that of its leads and of the run; time used in other processes counts."""
        entries = {entry.span_id: entry for entry in await self.ledger.entries(self.request.run_id)}

        def clock(span_id: str) -> Deadline:
            if span_id not in self._deadlines:
                entry = entries[span_id]
                self._deadlines[span_id] = Deadline(
                    entry.wall_clock_s, clock(entry.parent_span_id) if entry.parent_span_id else None
                )
            self._deadlines[span_id].advance_to(entries[span_id].active_s)
            return self._deadlines[span_id]

        found = clock(span_id)
        if self.steering.cancelled:
            self.expire_deadlines()
        return found

    def adopt_deadline(self, span_id: str, deadline: Deadline) -> None:
        """Count the time of a worker that had its deadline before it had an allowance."""
        self._deadlines.setdefault(span_id, deadline)

    def _redacted(self, message: str) -> str:
        checked = self.guardrails.check("input", message)
        return f"(held back: {checked.refusal.message})" if checked.refusal else checked.value

    def expire_deadlines(self) -> None:
        """End the time of everything of the run that is at work in this process."""
        for clock in self._deadlines.values():
            clock.expire()

    @asynccontextmanager
    async def time_recorded(self) -> AsyncGenerator[None]:
        """Write the time worked to the ledger every few seconds, and read that of other processes."""

        async def record_regularly() -> None:
            while True:
                await asyncio.sleep(_RECORD_TIME_S)
                await self.record_time()

        recording = asyncio.create_task(record_regularly())
        try:
            yield
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
            await self.record_time()

    async def record_time(self) -> None:
        """Write the time worked in this process to the ledger, and read that of other processes."""
        worked = await self.ledger.record_time({span_id: clock.used for span_id, clock in self._deadlines.items()})
        for span_id, used in worked.items():
            self._deadlines[span_id].advance_to(used)

    def check_mandates(self, lookups: Mapping[str, JsonValue]) -> None:
        """Raises Failure unless the mandates of the whole team can be made from these lookups."""
        self._mandates = self._new_mandates(lookups)

    def mandates(self, lookups: Mapping[str, JsonValue]) -> RunMandates:
        """Those of the run, which its lookups narrow."""
        self._mandates = self._mandates or self._new_mandates(lookups)
        return self._mandates

    def _new_mandates(self, lookups: Mapping[str, JsonValue]) -> RunMandates:
        config, facts = self.resources.config, RunFacts(self.request.inputs, lookups)
        return RunMandates(config, self.resources.fleet, facts, self.playbook, config.team(self.playbook))


class RunContexts:
    """Opens a run once, however many of its workflows are at work here."""

    def __init__(self, opening: OpenResources, journal: Journal) -> None:
        self._opening, self._steering = opening, SteeringWatch(journal)
        self._open: dict[str, _OpenContext] = {}

    @asynccontextmanager
    async def use(self, request: RunRequest) -> AsyncGenerator[RunContext]:
        open_context = self._open.setdefault(request.run_id, _OpenContext())
        open_context.users += 1
        open_context.task = open_context.task or asyncio.create_task(self._keep_open(request, open_context))
        try:
            yield await asyncio.shield(open_context.context)
        finally:
            open_context.users -= 1
            if not open_context.users:
                self._open.pop(request.run_id, None)
                open_context.unused.set()
                await asyncio.wait([open_context.task])

    async def _keep_open(self, request: RunRequest, open_context: "_OpenContext") -> None:
        """One task opens and closes: what is opened may insist on that."""
        try:
            async with (
                self._opening(request) as resources,
                self._steering.watched(request.run_id) as steering,
            ):
                context = RunContext(request, resources, steering)
                steering.on_cancel = context.expire_deadlines
                open_context.context.set_result(context)
                await open_context.unused.wait()
        except BaseException as error:
            if open_context.context.done():
                raise
            open_context.context.set_exception(error)


class _OpenContext:
    def __init__(self) -> None:
        self.users = 0
        self.context: asyncio.Future[RunContext] = asyncio.get_running_loop().create_future()
        self.unused = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
