"""Puts runs and further turns into the queue that all workers share."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flotilla_kit.effects.faults import point
from pydantic import JsonValue

from ..durable.workflow_store import (
    WorkflowClient,
    adapter_of,
    database_url,
    enqueue,
    further_turn,
    workflow_client,
)
from ..errors import Failure
from ..journal.backlog import queue_run, requeue_run, run_not_ended
from ..journal.journal import ENDED, Journal, Run, from_now
from ..journal.queue_outbox import QueuedWorkflow, outbox, remove_from_outbox
from ..run_request import RunRequest
from .run import span_of

logger = logging.getLogger(__name__)

_LOOK_S = 3.0  # how often the outbox is looked at
_LEFT_S = 5.0  # what is older than that was left there by a process that has ended, or could not be put into the queue
_MOST = 100  # of what was left, at a time


class RunQueue:
    """The producer side of the shared queue: what the journal has taken is put there soon, by this process or another.

    Args:
        client: of the workflow store.
        backlog: how many runs may wait at most; None: any number.
    """

    def __init__(self, journal: Journal, client: WorkflowClient, backlog: int | None = None) -> None:
        self._journal, self._backlog = journal, backlog
        self.client = client
        self._written, self._more, self._closing = list[QueuedWorkflow](), asyncio.Event(), False

    async def submit(self, request: RunRequest) -> tuple[Run, bool]:
        """Put a run into the queue; the run, and whether it is new: one of its id that asks for the same is that run.

        Raises:
            Failure: `backlog_full`; `idempotency_mismatch`: the run of that id was asked for in other words.
        """
        run = Run(request.run_id, request.playbook, request.model, request.task, request.inputs)
        workflow = QueuedWorkflow("run", run.run_id, run.run_id, [_as_json(request)])
        known = await queue_run(self._journal, run, span_of(request), workflow, self._backlog)
        if known is None:
            self._send_soon(workflow)
            return run, True
        if _content(known) != _content(run):
            message = f"That idempotency key was used for another request: {known.run_id}."
            raise Failure("idempotency_mismatch", message, "Take a new key for a new request.")
        return known, False

    async def follow(self, run: Run, text: str, requester: str | None) -> None:
        """Have the lead of a run that has ended make one more turn.

        Raises:
            Failure: `run_not_ended`, `backlog_full`; `run_forgotten`: its workflows have been removed.
        """
        if run.status not in ENDED:
            raise run_not_ended(run.run_id)
        request, turn = await asyncio.to_thread(further_turn, self.client, run.run_id, text)
        workflow = QueuedWorkflow("follow", turn.workflow_id, run.run_id, [_as_json(request), text])
        await requeue_run(self._journal, run, requester, workflow, self._backlog)
        self._send_soon(workflow)

    async def send(self) -> None:
        """Put into the queue what is written here, and what others have left in the outbox, until closed."""
        left_s, looked_at = 0.0, -_LOOK_S
        while True:
            written, self._written = self._written, list[QueuedWorkflow]()
            self._more.clear()
            try:
                await self._send(written)
                if time.monotonic() - looked_at >= _LOOK_S:
                    looked_at = time.monotonic()
                    await self._send(await self._journal.query(outbox, from_now(-left_s), _MOST))
                    left_s = _LEFT_S
            except Exception:  # they stay in the outbox
                logger.exception("runs cannot be put into the queue of workflows; it is tried again")
            if self._closing and not self._written:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), _LOOK_S)

    def close(self) -> None:
        """Have `send` end, once what is written here is in the queue."""
        self._closing = True
        self._more.set()

    def _send_soon(self, workflow: QueuedWorkflow) -> None:
        self._written.append(workflow)
        self._more.set()

    async def _send(self, workflows: list[QueuedWorkflow]) -> None:
        if workflows:
            point("run_written")
            await asyncio.to_thread(enqueue, self.client, workflows)
            point("run_queued")
            ids = [workflow.workflow_id for workflow in workflows]
            await self._journal.database.write(remove_from_outbox, ids)


@asynccontextmanager
async def run_queue(home: Path, journal: Journal, backlog: int | None = None) -> AsyncGenerator[RunQueue]:
    """The queue, while the block lasts."""
    with workflow_client(database_url(home)) as client:
        queue = RunQueue(journal, client, backlog)
        sending = asyncio.create_task(queue.send())
        try:
            yield queue
        finally:
            queue.close()
            await asyncio.wait([sending])


def _as_json(request: RunRequest) -> JsonValue:
    return adapter_of(RunRequest).dump_python(request, mode="json")


def _content(run: Run) -> str:
    return json.dumps([run.playbook, run.model, run.task, run.inputs], sort_keys=True)
