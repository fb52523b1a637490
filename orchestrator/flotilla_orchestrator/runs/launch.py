"""Starts DBOS in this process; for one run, that is taken up where another process left it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from dbos import DBOS

from ..config.config import Config
from ..errors import Failure
from ..run_request import Order, check_inputs
from ..journal.journal import Journal, Run, Status
from .context import Cases, Opening
from ..durable.workflow import Handle
from ..durable.executor import Here, enter, leave
from ..durable.workflow_store import APPLICATION, Follow, database_url, migrate, version_of
from ..durable.leases import TakenError, leased
from .run import follow as following
from .run import run

_POLL_S = 0.2  # how often decisions are looked for, of each question of all runs
_POLL_ONE_S = 0.05  # of one run, which ends as much sooner: DBOS waits for the last look


async def run_playbook(
    config: Config, order: Order, *, home: Path, journal: Journal, opening: Opening, follow: Follow | None = None
) -> Run:
    """Execute `order` to its end, or go on with it, and record it; a failure is in the run's `error`.

    Args:
        home: where the engine keeps what it needs to go on.
        opening: starts what the run works with, in this process.
        follow: instead, one more turn of its lead.

    Raises:
        Failure: `invalid_input`; nothing was started or recorded. `run_active`: another process is at work on it.
    """
    check_inputs(config, order.playbook, order.task, order.inputs)
    url, run_id = database_url(home), order.run_id
    try:
        with leased(home, url, run_id):
            here = Here(journal, Cases(opening), url, asyncio.Semaphore(config.fleet.concurrency))
            async with launched(here, run_id, version_of(run_id)):
                await (await _started(order, follow)).result()
    except TakenError as error:
        message = f"Another process is at work on {run_id}."
        raise Failure("run_active", message, "See `flotilla trace`, or end it first.") from error
    found = await journal.run(run_id)
    assert found, "it began"
    return found


async def _started(order: Order, follow: Follow | None) -> Handle[Status]:
    if follow is None:
        return await run.start(order.run_id, order)
    return await following.start(follow.name, order, follow.text)


@asynccontextmanager
async def launched(here: Here, executor_id: str, version: str, queues: Sequence[str] = ()) -> AsyncGenerator[None]:
    """DBOS works on these queues, and on nothing else, while the block lasts. It first takes up what an earlier process
    has left that was this executor; the caller has its lease.
    """
    await asyncio.to_thread(migrate, here.database)
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": here.database,
            "executor_id": executor_id,
            "application_version": version,
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": _POLL_S if queues else _POLL_ONE_S,
            "run_migrations": False,
        }
    )
    DBOS.listen_queues(queues)
    enter(here)
    looking = asyncio.create_task(here.watch.look())
    try:
        DBOS.launch()
        yield
    finally:
        await here.stop()
        looking.cancel()
        await asyncio.wait([looking])
        await asyncio.to_thread(DBOS.destroy)
        # It had made its own pool that of the loop, and has shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        leave()
