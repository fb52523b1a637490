"""The runs that this process works on: each has its servers, its model and its clocks here, from when a session first
needs them until nothing of the run is at work here any more. All of it can be made anew in another process.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pydantic import JsonValue

from ..config.config import Worker
from ..fleet.run_mandates import Mandates
from ..journal.ledger import Ledger
from ..mandates.claims import Facts
from ..run_request import RunRequest
from ..sessions.agent import Agent, Means
from ..sessions.deadline import Deadline
from .agent_task import Job
from .steering import Steering, heard

Opening = Callable[[RunRequest], AbstractAsyncContextManager[Means]]
"""Starts what a run works with, and ends it with the block."""


class Case:
    """A run in this process."""

    def __init__(self, order: RunRequest, means: Means, steering: Steering) -> None:
        self.order, self.means, self.steering = order, means, steering
        self.playbook = means.config.playbooks[order.playbook]
        self.limits = self.playbook.limits.over(means.config.fleet.limits.run)
        self.ledger = Ledger(means.journal.database)
        self._mandates: Mandates | None = None
        self._clocks: dict[str, Deadline] = {}

    def agent(self, job: Job) -> Agent:
        worker = self.worker(job)
        output = self.playbook.output if job.result_wanted else job.output
        return Agent(
            self.means, self.mandates(job.lookups), worker, job.task, output, job.session_of or job.span_id, job.depth
        )

    def worker(self, job: Job) -> Worker:
        worker = self.means.config.workers[job.worker]
        return worker.model_copy(update={"model": job.model}) if job.model else worker

    async def clock(self, span_id: str) -> Deadline:
        """A worker's time, a part of that of the leads above and of the run; it goes on where other processes are."""
        entries = {entry.span_id: entry for entry in await self.ledger.entries(self.order.run_id)}

        def clock(span_id: str) -> Deadline:
            if span_id not in self._clocks:
                entry = entries[span_id]
                self._clocks[span_id] = Deadline(entry.wall_clock_s, clock(entry.above) if entry.above else None)
            self._clocks[span_id].take_up(entries[span_id].active_s)
            return self._clocks[span_id]

        found = clock(span_id)
        if self.steering.cancelled:
            self.expire_deadlines()
        return found

    def expire_deadlines(self) -> None:
        """There is no time left for anything that is at work here."""
        for clock in self._clocks.values():
            clock.cut()

    async def note_time(self) -> None:
        """Tell the ledger what was worked here, and take up what was worked elsewhere."""
        worked = await self.ledger.worked({span_id: clock.used for span_id, clock in self._clocks.items()})
        for span_id, used in worked.items():
            self._clocks[span_id].take_up(used)

    def check(self, lookups: Mapping[str, JsonValue]) -> None:
        """Raises Failure unless the mandates of the whole team can be made."""
        self._mandates = self._made(lookups)

    def mandates(self, lookups: Mapping[str, JsonValue]) -> Mandates:
        """Those of the run, which its lookups narrow."""
        self._mandates = self._mandates or self._made(lookups)
        return self._mandates

    def _made(self, lookups: Mapping[str, JsonValue]) -> Mandates:
        config, facts = self.means.config, Facts(self.order.inputs, lookups)
        return Mandates(config, self.means.fleet, facts, self.playbook, config.team(self.playbook))


class Cases:
    """Opens a run once, however many of its workflows are at work here."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._open: dict[str, _Held] = {}

    @asynccontextmanager
    async def use(self, order: RunRequest) -> AsyncGenerator[Case]:
        held = self._open.setdefault(order.run_id, _Held())
        held.users += 1
        held.task = held.task or asyncio.create_task(self._hold(order, held))
        try:
            yield await asyncio.shield(held.case)
        finally:
            held.users -= 1
            if not held.users:
                self._open.pop(order.run_id, None)
                held.unused.set()
                await asyncio.wait([held.task])

    async def _hold(self, order: RunRequest, held: "_Held") -> None:
        """One task opens and closes: what is opened may insist on that."""
        try:
            async with self._opening(order) as means, heard(means.journal, order.run_id) as steering:
                case = Case(order, means, steering)
                steering.on_cancel = case.expire_deadlines
                held.case.set_result(case)
                await held.unused.wait()
        except BaseException as error:
            if held.case.done():
                raise
            held.case.set_exception(error)


class _Held:
    def __init__(self) -> None:
        self.users = 0
        self.case: asyncio.Future[Case] = asyncio.get_running_loop().create_future()
        self.unused = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
