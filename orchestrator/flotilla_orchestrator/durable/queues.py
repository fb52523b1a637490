"""The queues that all worker processes share, and what of them is unfinished."""

from typing import Any

from dbos import DBOS

from .workflow_store import RUN_QUEUE, VERSION, workflow_client

SESSIONS = f"{RUN_QUEUE}.sessions"
_POLL_S = 0.2  # how often the queues are looked at; a worker may have nothing to do for days


def register(url: str, concurrency: int) -> None:
    """Have the queues, with so many sessions at once in all processes."""
    with workflow_client(url) as client:
        client.register_queue(RUN_QUEUE, polling_interval_sec=_POLL_S)
        client.register_queue(SESSIONS, global_concurrency=concurrency, polling_interval_sec=_POLL_S)


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
        status=[status],
        queue_name=SESSIONS,
        app_version=VERSION,  # no process that counts starts the others
        limit=most,
        load_input=False,
        load_output=False,
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
