"""The processes that work on queued runs, and what each is at work on."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..durable.leases import executor_lease, held_leases, lease_names
from ..durable.workflow_store import WorkflowClient, database_url, unfinished_workflows


@dataclass(frozen=True)
class WorkerState:
    """A worker process: how many `runs` and `sessions` it has. The work of one that is not alive is taken over."""

    executor_id: str
    alive: bool
    runs: int
    sessions: int


async def worker_states(home: Path, client: WorkflowClient) -> list[WorkerState]:
    """The workers that have something to do, and the idle ones."""
    return await asyncio.to_thread(_worker_states, home, client)


def _worker_states(home: Path, client: WorkflowClient) -> list[WorkerState]:
    url = database_url(home)
    found = [workflow for workflow in unfinished_workflows(client) if workflow.status == "PENDING"]
    runs = Counter(workflow.executor_id for workflow in found if workflow.name in ("run", "follow"))
    sessions = Counter(workflow.executor_id for workflow in found if workflow.name == "session")
    prefix = executor_lease("")
    idle = [name.removeprefix(prefix) for name in lease_names(home, url) if name.startswith(prefix)]
    names = sorted({*idle, *(str(workflow.executor_id) for workflow in found)})
    alive = held_leases(home, url, [executor_lease(name) for name in names])
    states = [WorkerState(name, executor_lease(name) in alive, runs[name], sessions[name]) for name in names]
    return [state for state in states if state.alive or state.runs or state.sessions]
