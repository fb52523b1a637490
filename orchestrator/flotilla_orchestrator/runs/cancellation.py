"""Ends a run that no process is at work on."""

import asyncio
from pathlib import Path

from ..durable.leases import LeaseTakenError, lease
from ..durable.workflow_store import UNFINISHED, VERSION, database_url, workflow_client
from ..journal.journal import Journal, Run
from ..journal.queue_outbox import is_in_outbox
from .steering import cancellation


async def cancel_unattended(home: Path, journal: Journal, run: Run) -> bool:
    """Cancel a run; False: a process works on it, or will, and ends it."""
    url = database_url(home)
    try:
        with lease(home, url, run.run_id):
            in_outbox = await journal.query(is_in_outbox, run.run_id)  # first: from there it gets into the queue
            if in_outbox or not await asyncio.to_thread(_cancel, url, run.run_id):
                return False
            for span in await journal.spans(run.run_id):
                if not span.ended_at or span.status == "interrupted":
                    await journal.end(span, "cancelled")
            run.status, run.error = "cancelled", cancellation().as_dict()
            await journal.end_run(run)
            return True
    except LeaseTakenError:
        return False


def _cancel(url: str, run_id: str) -> bool:
    """Cancel its workflows, unless workers of the shared queue may resume it; returns whether it did."""
    with workflow_client(url) as client:
        unfinished = client.list_workflows(
            workflow_id_prefix=run_id, status=UNFINISHED, load_input=False, load_output=False
        )
        if any(workflow.app_version == VERSION for workflow in unfinished):
            return False
        for workflow in unfinished:
            client.cancel_workflow(workflow.workflow_id)
        return True
