"""Limits how many sessions live at once, and says whether another session waits for a slot."""

import asyncio
from typing import Protocol, Self

from ..durable import queues


class Slots(Protocol):
    """A number of slots; each block of a session takes one. `live`: how many are taken in this process."""

    live: int

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def wanted(self) -> bool:
        """Whether a session cannot begin because too many live."""
        ...


class LocalSlots:
    """Slots of the sessions in this process."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._waiting = self.live = 0

    async def __aenter__(self) -> Self:
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self.live += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.live -= 1
        self._free.release()

    async def wanted(self) -> bool:
        return self._waiting > 0


class QueueSlots:
    """Slots of the sessions in all worker processes: their queue starts no more than `count`."""

    def __init__(self, count: int) -> None:
        self._count, self.live = count, 0

    async def __aenter__(self) -> Self:
        self.live += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.live -= 1

    async def wanted(self) -> bool:
        # No more rows than decide it: each session that waits asks again and again, and thousands may be queued.
        if not await queues.sessions("ENQUEUED", 1):
            return False
        return await queues.sessions("PENDING", self._count) == self._count
