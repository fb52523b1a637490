"""Runs that have not ended and that no process is at work on: since when, and how to go on with them.

This writes nothing and takes no lease, so any process can resume a run meanwhile.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..durable.run_owners import unattended_runs
from ..durable.workflow_store import database_url
from ..journal.interrupted import stop_times, unended_runs
from ..journal.journal import ASK, Journal


@dataclass(frozen=True)
class Unattended:
    """Both by run.

    Attributes:
        stop_times: of those that are recorded as running, for their process had no time to record that it ended.
        resume_commands: of those that can go on.
    """

    stop_times: Mapping[str, str]
    resume_commands: Mapping[str, str]


async def find_unattended(journal: Journal, home: Path) -> Unattended:
    unended = await journal.query(unended_runs)
    if not unended:
        return Unattended({}, {})
    asking = [run_id for run_id, playbook in unended.items() if playbook == ASK]
    owners = await asyncio.to_thread(unattended_runs, home, database_url(home), asking)
    found = unended.keys() & owners.keys()
    # Only now: a process records the end of its run before it lets go of its lease.
    stopped = await journal.query(stop_times, found)
    commands = {run_id: command for run_id in found if (command := owners[run_id].resume_command)}
    return Unattended(stopped, commands)
