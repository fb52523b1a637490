"""Works on queued runs in this process.

Each has a name of its own and the lease on it; the work of one whose lease is free is taken over by the others.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, select

from ..durable import queues
from ..durable.executor import Executor, executor
from ..durable.launch import dbos_launched
from ..durable.leases import LeaseCheck, LeaseTakenError, executor_lease, lease
from ..durable.workflow_store import RUN_QUEUE, VERSION, database_url
from ..errors import Failure
from ..journal.journal import RUNS, Journal
from ..journal.queue_outbox import is_in_outbox
from ..journal.runs_list import state
from ..sessions.decisions import awaiting_people
from .admission import Admission
from .context import OpenResources, RunContexts
from .process import RunProcess, process_entered
from .retries import run_agent
from .run import follow, run
from .slots import QueueSlots

WORKFLOWS = (run, follow)  # what the queue of runs holds; a process knows the workflows that it has imported
NAME_VARIABLE = "FLOTILLA_EXECUTOR_ID"
_RECOVER_S = 3  # how often the others are looked after
_SESSION_WAIT_S = 10  # nobody looks on
_LEASE_WAIT_S = 3  # who takes over holds a lease for a moment


def executor_id() -> str:
    """What this process is called among the workers: FLOTILLA_EXECUTOR_ID, stable over its restarts."""
    name = os.environ.get(NAME_VARIABLE) or "local"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise Failure("invalid_arguments", f"{NAME_VARIABLE} is {name!r}.", "Take letters, digits, dots and dashes.")
    return name


class QueueWorker:
    """This process at work on the shared queue."""

    def __init__(self, name: str, home: Path, journal: Journal, has_lease: LeaseCheck) -> None:
        self.name = name
        self._home, self._journal, self._has_lease = home, journal, has_lease

    async def waiting_if_idle(self) -> list[str] | None:
        """The runs that wait for a person, once there is nothing else to do, here or in another process."""
        if await self._journal.query(is_in_outbox):
            return None
        workflows = await queues.unfinished("PENDING", "ENQUEUED")
        if any(workflow.name == "session" or workflow.status == "ENQUEUED" for workflow in workflows):
            return None
        if executor().watch.count() + awaiting_people() < sum(
            workflow.executor_id == self.name for workflow in workflows
        ):
            return None  # one of ours has something to do
        runs = {str(workflow.workflow_id).partition("/")[0] for workflow in workflows}
        if runs != await self._journal.query(_waiting_runs, runs):
            return None
        if any(request["setting"]["yes"] for request in await queues.inputs(sorted(runs))):
            return None  # the demo approver approves it, and is no person
        return sorted(runs)

    async def recover_others(self) -> None:
        """Take over the work of dead workers, every few seconds until cancelled.

        Raises:
            Failure: `executor_lost`: others may take this one for dead, so it must not go on.
        """
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(executor().lost.wait(), _RECOVER_S)
            if executor().lost.is_set() or not await asyncio.to_thread(self._has_lease):
                message = f"The database has failed, or let go of the lease of {self.name}."
                raise Failure("executor_lost", message, "Start it again; its runs go on.", retryable=True)
            others = {workflow.executor_id for workflow in await queues.unfinished("PENDING")} - {self.name}
            for other in sorted(others):
                await asyncio.to_thread(self._take_over, other)

    def _take_over(self, other: str) -> None:
        """Put the work of another worker back into the queue, unless it is alive."""
        with suppress(LeaseTakenError), lease(self._home, database_url(self._home), executor_lease(other)):
            queues.requeue(other)


@asynccontextmanager
async def queue_worked(
    *, home: Path, journal: Journal, opening: OpenResources, concurrency: int
) -> AsyncGenerator[QueueWorker]:
    """Work on queued runs while the block lasts; what is cut off at its end stays to be taken up.

    Args:
        concurrency: how many sessions may live at once, in all processes; the last one that starts decides.

    Raises:
        Failure: `executor_active`: another process has the name.
    """
    name, url = executor_id(), database_url(home)
    async with AsyncExitStack() as stack:
        has_lease = await _acquire_name(stack, home, url, name)
        await asyncio.to_thread(queues.register, url, concurrency)
        contexts, admission = RunContexts(opening, journal), Admission(journal, most=concurrency)
        slots = QueueSlots(concurrency)
        shared = RunProcess(journal, contexts, slots, run_agent, _SESSION_WAIT_S, queues.SESSIONS, admission)
        stack.enter_context(process_entered(shared))
        await stack.enter_async_context(dbos_launched(Executor(url), name, VERSION, [RUN_QUEUE, queues.SESSIONS]))
        await stack.enter_async_context(admission.admitting())
        yield QueueWorker(name, home, journal, has_lease)


async def _acquire_name(stack: AsyncExitStack, home: Path, url: str, name: str) -> LeaseCheck:
    """The lease, once it is free."""
    for _ in range(10 * _LEASE_WAIT_S):
        with suppress(LeaseTakenError):
            return stack.enter_context(lease(home, url, executor_lease(name)))
        await asyncio.sleep(0.1)
    message = f"Another process works as executor {name}."
    raise Failure("executor_active", message, f"Give each a {NAME_VARIABLE} of its own, the same at each start.")


def _waiting_runs(connection: Connection, runs: Collection[str]) -> set[str]:
    return set(connection.scalars(select(RUNS.c.run_id).where(RUNS.c.run_id.in_(runs), state() == "waiting")))
