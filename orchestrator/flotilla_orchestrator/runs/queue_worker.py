"""Runs that wait in a queue for whichever process works on it, and this process as one of those.

Each has a name of its own and the lease on it; the work of one whose lease is free is taken over by the others.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path

from sqlalchemy import Connection, select

from ..durable import queues
from ..durable.executor import Executor, executor
from ..durable.launch import launched
from ..durable.leases import Held, TakenError, leased
from ..durable.workflow_store import SHARED, VERSION, connected, database_url, kept_as
from ..errors import Failure
from ..journal.journal import RUNS, Journal, Run
from ..journal.runs_list import state
from ..run_request import RunRequest
from ..sessions.decisions import undecided
from .context import Cases, Opening
from .process import RunProcess, running

NAME_VARIABLE = "FLOTILLA_EXECUTOR_ID"
_LOOK_S = 3  # how often the others are looked after
_PATIENCE_S = 3  # who takes over holds a lease for a moment


async def enqueue(order: RunRequest, *, home: Path, journal: Journal) -> None:
    """Have a run worked on by whoever is at work, or will be."""

    def put() -> None:
        with connected(database_url(home)) as client:
            options = {"workflow_name": "run", "queue_name": SHARED, "app_version": VERSION}
            client.enqueue({**options, "workflow_id": order.run_id}, kept_as(RunRequest).dump_python(order))  # pyright: ignore[reportArgumentType]  # as its TypedDict

    await journal.queue_run(Run(order.run_id, order.playbook, order.model, order.task, order.inputs))
    try:
        await asyncio.to_thread(put)
    except BaseException:
        await journal.forget(order.run_id)
        raise


def executor_id() -> str:
    """What this process is called among the workers: FLOTILLA_EXECUTOR_ID, stable over its restarts."""
    name = os.environ.get(NAME_VARIABLE) or "local"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise Failure("invalid_arguments", f"{NAME_VARIABLE} is {name!r}.", "Take letters, digits, dots and dashes.")
    return name


class Replica:
    """This process at work on the shared queue."""

    def __init__(self, name: str, home: Path, journal: Journal, held: Held) -> None:
        self.name = name
        self._home, self._journal, self._held = home, journal, held

    async def idle(self) -> list[str] | None:
        """The runs that wait for a person, once there is nothing else to do, here or in another process."""
        found = await queues.unfinished("PENDING", "ENQUEUED")
        if any(workflow.name == "session" or workflow.status == "ENQUEUED" for workflow in found):
            return None
        if executor().watch.waiting() + undecided() < sum(workflow.executor_id == self.name for workflow in found):
            return None  # one of ours has something to do
        runs = {str(workflow.workflow_id).partition("/")[0] for workflow in found}
        if runs != await self._journal.query(_waiting, runs):
            return None
        if any(order["setting"]["yes"] for order in await queues.inputs(sorted(runs))):
            return None  # a stand-in approves it, and is no person
        return sorted(runs)

    async def look_after_others(self) -> None:
        """Take over what dead ones have left, again and again.

        Raises:
            Failure: `executor_lost`: others may take this one for dead, so it must not go on.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            if not await asyncio.to_thread(self._held):
                message = f"The database let go of the lease of {self.name}."
                raise Failure("executor_lost", message, "Start it again; its runs go on.", retryable=True)
            others = {workflow.executor_id for workflow in await queues.unfinished("PENDING")} - {self.name}
            for other in sorted(others):
                await asyncio.to_thread(self._take_over, other)

    def _take_over(self, other: str) -> None:
        """Back into the queue with what it was at work on, unless it is alive."""
        with suppress(TakenError), leased(self._home, database_url(self._home), _lease(other)):
            queues.requeue(other)


@asynccontextmanager
async def working(*, home: Path, journal: Journal, opening: Opening, concurrency: int) -> AsyncGenerator[Replica]:
    """Work on queued runs while the block lasts; what is cut off at its end stays to be taken up.

    Args:
        concurrency: how many sessions may live at once, in all processes; the last one that starts decides.

    Raises:
        Failure: `executor_active`: another process has the name.
    """
    name, url = executor_id(), database_url(home)
    async with AsyncExitStack() as stack:
        held = await _named(stack, home, url, name)
        await asyncio.to_thread(queues.register, url, concurrency)
        stack.enter_context(running(RunProcess(journal, Cases(opening), nullcontext(), queues.SESSIONS)))
        await stack.enter_async_context(launched(Executor(url), name, VERSION, [SHARED, queues.SESSIONS]))
        yield Replica(name, home, journal, held)


async def _named(stack: AsyncExitStack, home: Path, url: str, name: str) -> Held:
    """The lease, once it is free."""
    for _ in range(10 * _PATIENCE_S):
        with suppress(TakenError):
            return stack.enter_context(leased(home, url, _lease(name)))
        await asyncio.sleep(0.1)
    message = f"Another process works as executor {name}."
    raise Failure("executor_active", message, f"Give each a {NAME_VARIABLE} of its own, the same at each start.")


def _lease(name: str) -> str:
    return f"executor-{name}"


def _waiting(connection: Connection, runs: Collection[str]) -> set[str]:
    return set(connection.scalars(select(RUNS.c.run_id).where(RUNS.c.run_id.in_(runs), state() == "waiting")))
