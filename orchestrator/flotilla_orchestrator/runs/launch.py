"""Runs a playbook in this process, from its beginning or from where another process has left it."""

from dataclasses import replace
from pathlib import Path

from ..config.config import Config
from ..config.limits import SESSION_WAIT_S
from ..durable.executor import Executor
from ..durable.launch import dbos_launched
from ..durable.leases import LeaseTakenError, lease
from ..durable.workflow import Handle
from ..durable.workflow_store import FollowUp, database_url, version_of
from ..errors import Failure
from ..journal.journal import Journal, Run, Status
from ..run_request import RunRequest, checked_request
from .context import OpenResources, RunContexts
from .process import RunProcess, process_entered
from .retries import run_agent
from .run import follow as following
from .run import run
from .slots import LocalSlots


async def run_playbook(
    config: Config,
    request: RunRequest,
    *,
    home: Path,
    journal: Journal,
    opening: OpenResources,
    follow: FollowUp | None = None,
) -> Run:
    """Run `request` to its end, or resume it, and record it; a failure is in the run's `error`.

    Args:
        home: where the workflow store is, unless in PostgreSQL.
        opening: opens the resources of the run in this process.
        follow: instead, one more turn of its lead.

    Raises:
        Failure: `invalid_input`, `denied_by_guardrail`; nothing was started or recorded. `run_active`: another process
            is at work on it. `store_unavailable`: the database has failed, and the run can be resumed.
    """
    request, text = checked_request(config, request, follow and follow.text)
    if follow and text:
        follow = replace(follow, text=text)
    url, run_id = database_url(home), request.run_id
    try:
        with lease(home, url, run_id):
            shared = RunProcess(
                journal, RunContexts(opening, journal), LocalSlots(config.fleet.concurrency), run_agent, SESSION_WAIT_S
            )
            with process_entered(shared):
                executor = Executor(url)
                async with dbos_launched(executor, run_id, version_of(run_id)):
                    await executor.unless_lost((await _started(request, follow)).result())
    except LeaseTakenError as error:
        message = f"Another process is at work on {run_id}."
        raise Failure("run_active", message, "See `flotilla trace`, or end it first.") from error
    found = await journal.run(run_id)
    assert found, "it began"
    return found


async def _started(request: RunRequest, follow: FollowUp | None) -> Handle[Status]:
    if follow is None:
        return await run.start(request.run_id, request)
    return await following.start(follow.workflow_id, request, follow.text)
