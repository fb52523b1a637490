"""Admission control of queued runs: when each of those that this process has taken begins.

A run that has begun has servers, memory and rows of two databases, though its session may have to wait for long; and
the API that accepts further ones shares this process. So no more begin than sessions will soon be free for.
"""

import asyncio
import heapq
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from itertools import count
from typing import NamedTuple

from ..durable import queues
from ..journal.backlog import runs_not_to_wait, still_beginning
from ..journal.journal import Journal
from ..run_request import PRIORITIES, Priority

logger = logging.getLogger(__name__)

_POLL_S = 0.2  # as often as sessions begin


class _Turn(NamedTuple):
    """Of a run that waits; they are ordered as they come."""

    priority: int
    number: int
    run_id: str
    come: asyncio.Event


class Admission:
    """Admits runs by their priority and in the order in which they came, while few sessions wait for a slot.

    Args:
        most: how many sessions of all processes may wait, and runs of this one be about to have them.
    """

    def __init__(self, journal: Journal, most: int) -> None:
        self._journal, self._most = journal, most
        self._waiting, self._new = dict[str, _Turn](), set[str]()
        self._beginning = set[str]()
        self._numbers, self._more = count(), asyncio.Event()

    async def wait(self, run_id: str, priority: Priority) -> None:
        """Wait for the turn of a run: at once if it has begun before, soon if it was cancelled and is to end."""
        turn = self._waiting[run_id] = _Turn(PRIORITIES[priority], next(self._numbers), run_id, asyncio.Event())
        self._new.add(run_id)
        self._more.set()
        try:
            await turn.come.wait()
        finally:
            self._waiting.pop(run_id, None)

    @asynccontextmanager
    async def admitting(self) -> AsyncGenerator[None]:
        """Runs are admitted while the block lasts."""
        task = asyncio.create_task(self._admit())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _admit(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                try:
                    await self._admit_once()
                except Exception:  # it is tried again
                    logger.exception("queued runs cannot be admitted")
                await asyncio.sleep(_POLL_S)

    async def _admit_once(self) -> None:
        new = [*self._new]
        self._let_go(await self._journal.query(runs_not_to_wait, new))
        self._new.difference_update(new)
        self._beginning = await self._journal.query(still_beginning, self._beginning)
        room = self._most - len(self._beginning) - await queues.sessions("ENQUEUED", self._most)
        admitted = [turn.run_id for turn in heapq.nsmallest(room, self._waiting.values())]
        self._beginning.update(admitted)
        self._let_go(admitted)

    def _let_go(self, run_ids: Collection[str]) -> None:
        for run_id in run_ids:
            if turn := self._waiting.pop(run_id, None):
                turn.come.set()
