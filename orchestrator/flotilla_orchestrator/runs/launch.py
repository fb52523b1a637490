"""Runs a playbook in this process, from its beginning or from where another process has left it."""

import asyncio
from pathlib import Path

from ..config.config import Config
from ..durable.executor import Executor
from ..durable.launch import launched
from ..durable.leases import TakenError, leased
from ..durable.workflow import Handle
from ..durable.workflow_store import Follow, database_url, version_of
from ..errors import Failure
from ..journal.journal import Journal, Run, Status
from ..run_request import RunRequest, check_inputs
from .context import Cases, Opening
from .process import RunProcess, running
from .run import follow as following
from .run import run


async def run_playbook(
    config: Config, order: RunRequest, *, home: Path, journal: Journal, opening: Opening, follow: Follow | None = None
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
            shared = RunProcess(journal, Cases(opening), asyncio.Semaphore(config.fleet.concurrency))
            with running(shared):
                async with launched(Executor(url), run_id, version_of(run_id)):
                    await (await _started(order, follow)).result()
    except TakenError as error:
        message = f"Another process is at work on {run_id}."
        raise Failure("run_active", message, "See `flotilla trace`, or end it first.") from error
    found = await journal.run(run_id)
    assert found, "it began"
    return found


async def _started(order: RunRequest, follow: Follow | None) -> Handle[Status]:
    if follow is None:
        return await run.start(order.run_id, order)
    return await following.start(follow.name, order, follow.text)
