"""This process as an executor of workflows."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..records.journal import Journal
from .cases import Cases
from .watch import Watch

T = TypeVar("T")

_STOP_S = 30  # how long workflows may take to end their processes


@dataclass
class Here:
    """What workflows find in the process that they run in; there is one at a time, as there is one DBOS.

    Attributes:
        database: the engine's own, by its address.
        slots: of sessions in this process.
        sessions: the queue that bounds how many of them live in all processes; None: they start here.
    """

    journal: Journal
    cases: Cases
    database: str
    slots: AbstractAsyncContextManager[Any]
    sessions: str | None = None
    watch: Watch = field(default_factory=Watch)
    _living: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self, body: Coroutine[Any, Any, T]) -> T:
        """Run a workflow's body; one that is cut off stays as it is, to be taken up by another process.

        DBOS would take a cancelled coroutine for one that has failed, so it never hears of it.
        """
        task = asyncio.create_task(body)
        self._living.add(task)
        try:
            await asyncio.wait([task])
            if self._over.is_set() or task.cancelled():
                await asyncio.Event().wait()
            return task.result()
        finally:
            self._living.discard(task)

    async def stop(self) -> None:
        """Cut off every workflow, and wait until each has ended what it had started."""
        self._over.set()
        while living := [task for task in self._living if not task.done()]:
            for task in living:
                task.cancel()
            if not (await asyncio.wait(living, timeout=_STOP_S))[0]:
                return


_here: list[Here] = []


def enter(found: Here) -> None:
    _here.append(found)


def leave() -> None:
    _here.clear()


def here() -> Here:
    return _here[-1]
