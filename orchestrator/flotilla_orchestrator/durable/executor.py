"""This process as an executor of workflows."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from flotilla_kit.errors import StoreUnavailable

from ..errors import Failure
from ..waits import first_of
from .completion_watch import CompletionWatch

T = TypeVar("T")

_STOP_S = 30  # how long workflows may take to end their processes
_BUSY_S = 5  # where a workflow has begun or ended, others follow


@dataclass
class Executor:
    """Runs the workflows of this process; there is one at a time, as there is one DBOS.

    Attributes:
        database: the workflow store, by its address.
        lost: set once the database has failed under a workflow; the process is to end then, and its runs are resumed.
    """

    database: str
    watch: CompletionWatch = field(default_factory=CompletionWatch)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _bodies: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _changed_at: float = -_BUSY_S

    def is_busy(self) -> bool:
        """Whether a workflow has begun or ended here within seconds; may be asked from any thread."""
        return time.monotonic() - self._changed_at < _BUSY_S

    async def run(self, body: Coroutine[Any, Any, T]) -> T:
        """Run a workflow's body; one that is cancelled by `stop` stays unfinished, for another process to resume.

        DBOS records nothing of a cancelled coroutine, but it would record what a body makes of its cancellation, such
        as a Failure; so a body that was stopped never returns to it.
        """
        task = asyncio.create_task(body)
        self._bodies.add(task)
        self._changed_at = time.monotonic()
        try:
            await asyncio.wait([task])
            if not task.cancelled() and isinstance(task.exception(), StoreUnavailable):
                await self.abandon()
            if self._stopped.is_set() or task.cancelled():
                await asyncio.Event().wait()
            return task.result()
        finally:
            self._bodies.discard(task)
            self._changed_at = time.monotonic()

    async def abandon(self) -> NoReturn:
        """Leave a workflow or a step without an outcome, since the database that it would be in has failed.

        An outcome that says so would be recorded once the database is back, and the run would have failed by it.
        """
        self.lost.set()
        await asyncio.Event().wait()
        raise AssertionError("nothing ends the wait but the process")

    async def unless_lost(self, awaited: Awaitable[T]) -> T:
        """What is awaited; raises Failure `store_unavailable` if the database fails under a workflow before that."""
        future = await first_of(awaited, self.lost)
        if future.cancelled():
            message, suggestion = "The database of runs has failed.", "Resume the run once it is back."
            raise Failure("store_unavailable", message, suggestion, retryable=True)
        return future.result()

    async def stop(self) -> None:
        """Cancel every workflow, and wait until each has ended what it had started."""
        self._stopped.set()
        while running := [task for task in self._bodies if not task.done()]:
            for task in running:
                task.cancel()
            if not (await asyncio.wait(running, timeout=_STOP_S))[0]:
                return


_current: list[Executor] = []


def executor() -> Executor:
    """The executor of this process, while DBOS runs in it."""
    return _current[-1]


@contextmanager
def executor_entered(current: Executor) -> Generator[None]:
    """It is that of this process while the block lasts."""
    _current.append(current)
    try:
        yield
    finally:
        _current.clear()
