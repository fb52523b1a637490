"""The queues that all worker processes share, and what of them is unfinished."""

import time
from collections.abc import Callable
from typing import Any

from dbos import DBOS
from dbos._queue import Queue  # nothing public says how often this process looks at a queue

from .workflow_store import RUN_QUEUE, VERSION, workflow_client

SESSIONS = f"{RUN_QUEUE}.sessions"
_POLL_S = 0.2  # how often a process that is busy looks at the queues
_IDLE_POLL_S = 0.5  # a worker may have nothing to do for days
_REREAD_S = 5  # how soon another concurrency counts, which the last process that starts decides


def register(url: str, concurrency: int) -> None:
    """Have the queues, with so many sessions at once in all processes."""
    with workflow_client(url) as client:
        client.register_queue(RUN_QUEUE, polling_interval_sec=_POLL_S)
        client.register_queue(SESSIONS, global_concurrency=concurrency, polling_interval_sec=_POLL_S)


def poll_when_needed(dbos: DBOS, is_busy: Callable[[], bool]) -> None:
    """Have this process look at the queues less often while it is not busy, and seldom at how they are set up.

    DBOS reads a queue's row before each look, and takes from it how long to wait; the row is shared by all processes.
    """
    database = dbos._sys_db  # pyright: ignore[reportPrivateUsage]  # as above
    read, known = database.get_queue, dict[str, tuple[float, Queue]]()

    def get_queue(name: str, **more: Any) -> Queue | None:
        read_at, queue = known.get(name, (0.0, None))
        if queue is None or time.monotonic() - read_at > _REREAD_S:
            if (queue := read(name, **more)) is None:
                return None
            known[name] = time.monotonic(), queue
        queue._polling_interval_sec = _POLL_S if is_busy() else _IDLE_POLL_S  # pyright: ignore[reportPrivateUsage]  # as above
        return queue

    database.get_queue = get_queue


async def unfinished(*states: str) -> list[Any]:
    """The workflows of this version in these states (`PENDING`, `ENQUEUED`), without their arguments."""
    return await DBOS.list_workflows_async(
        status=list(states),
        app_version=VERSION,
        load_input=False,
        load_output=False,
    )


async def sessions(status: str, most: int) -> int:
    """How many sessions of the queue are `ENQUEUED`, or `PENDING` (started and not ended); counts up to `most`."""
    found = await DBOS.list_workflows_async(
        status=[status], queue_name=SESSIONS, limit=most, load_input=False, load_output=False
    )
    return len(found)


async def inputs(workflow_ids: list[str]) -> list[Any]:
    """The first argument of each of these workflows."""
    found = await DBOS.list_workflows_async(workflow_ids=workflow_ids) if workflow_ids else []
    return [workflow.input["args"][0] for workflow in found if workflow.input]


def requeue(executor_id: str) -> None:
    """Put the unfinished workflows of a dead executor back into their queues."""
    # Unlike `DBOS.resume_workflow` this leaves alone what has been cancelled or taken since.
    DBOS._recover_pending_workflows([executor_id])  # pyright: ignore[reportPrivateUsage]  # see above
