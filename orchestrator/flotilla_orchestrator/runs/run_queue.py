"""Puts runs and further turns into the queue that all workers share."""

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..durable.workflow_store import (
    QueuedWorkflow,
    WorkflowClient,
    adapter_of,
    database_url,
    enqueue,
    further_turn,
    workflow_client,
)
from ..errors import Failure
from ..journal.backlog import queue_run, requeue_run
from ..journal.journal import Journal, Run
from ..run_request import RunRequest
from .run import span_of


class RunQueue:
    """The producer side of the shared queue.

    Args:
        client: of the workflow store.
        backlog: how many runs may wait at most; None: any number.
    """

    def __init__(self, journal: Journal, client: WorkflowClient, backlog: int | None = None) -> None:
        self._journal, self._backlog = journal, backlog
        self.client = client
        self._waiting, self._writing = list[QueuedWorkflow](), asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def submit(self, request: RunRequest) -> tuple[Run, bool]:
        """Put a run into the queue; the run, and whether it is new: one of its id that asks for the same is that run.

        Raises:
            Failure: `backlog_full`; `idempotency_mismatch`: the run of that id was asked for in other words.
        """
        run = Run(request.run_id, request.playbook, request.model, request.task, request.inputs)
        known = await queue_run(self._journal, run, span_of(request), self._backlog)
        if known and _content(known) != _content(run):
            message = f"That idempotency key was used for another request: {known.run_id}."
            raise Failure("idempotency_mismatch", message, "Take a new key for a new request.")
        if known is None or known.status == "queued":  # an earlier attempt may have been cut off half way
            await self._enqueue(request, forget=known is None)
        return known or run, known is None

    async def follow(self, run: Run, text: str, requester: str | None) -> None:
        """Have the lead of a run that has ended make one more turn.

        Raises:
            Failure: `run_not_ended`, `backlog_full`; `run_forgotten`: its workflows have been removed.
        """
        await requeue_run(self._journal, run, requester, self._backlog)
        try:
            request, turn = await asyncio.to_thread(further_turn, self.client, run.run_id, text)
            values = adapter_of(RunRequest).dump_python(request)
            await self._put(QueuedWorkflow("follow", turn.workflow_id, (values, text)))
        except Exception:
            await self._journal.restore_run(run)
            raise

    async def _enqueue(self, request: RunRequest, *, forget: bool) -> None:
        values = adapter_of(RunRequest).dump_python(request)
        try:
            await self._put(QueuedWorkflow("run", request.run_id, (values,)))
        except Exception:
            if forget:
                await self._journal.delete_run(request.run_id)
            raise

    async def _put(self, workflow: QueuedWorkflow) -> None:
        """Put it into the queue, with those that come while others are being put there."""
        self._waiting.append(workflow)
        self._next = self._next or asyncio.create_task(self._put_waiting())
        await asyncio.shield(self._next)  # it is not only this caller's

    async def _put_waiting(self) -> None:
        async with self._writing:
            workflows, self._waiting, self._next = self._waiting, [], None
            await asyncio.to_thread(enqueue, self.client, workflows)


@contextmanager
def run_queue(home: Path, journal: Journal, backlog: int | None = None) -> Generator[RunQueue]:
    """The queue, while the block lasts."""
    with workflow_client(database_url(home)) as client:
        yield RunQueue(journal, client, backlog)


def _content(run: Run) -> str:
    return json.dumps([run.playbook, run.model, run.task, run.inputs], sort_keys=True)
