"""Group commit: records of calls are written together, a moment after the calls."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from ..storage.database import Database
from .anchors import write_anchor
from .chain import GENESIS, Head, Record, append, head

logger = logging.getLogger(__name__)

_BATCH = 1_000  # records a transaction: mutations wait for the head's lock meanwhile
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_ANCHOR_EVERY_S = 60.0


class Committer:
    """Group commit: what is added is in the chain, and durable, about `interval_s` later.

    While the store does not answer, records wait and are tried again; `most` of them wait, then calls are refused.
    Everything is called on the event loop's thread.
    """

    def __init__(
        self, database: Database, *, anchor: Path | None = None, interval_s: float = 0.25, most: int = 10_000
    ) -> None:
        self._database = database
        self._interval_s = interval_s
        self._most = most
        self._waiting: deque[Record] = deque()  # until they are durable
        self._added = 0
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []  # done when that many are durable
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._anchor = anchor
        self._anchor_due = float("-inf")
        self._reached = Head(0, GENESIS)
        self._anchored: Head = self._reached

    def check(self) -> None:
        """Ask before work whose record will have to be added: afterwards it could not be refused.

        Raises:
            StoreUnavailable: as many records wait as may, or this is closed.
        """
        if self._closing or len(self._waiting) >= self._most:
            raise _unavailable()

    def add(self, record: Record) -> None:
        """Take the record to write it soon; never waits.

        Raises:
            StoreUnavailable: as `check`; the record was not taken.
        """
        self.check()
        self._waiting.append(record)
        self._added += 1
        self._wake.set()

    async def start(self) -> None:
        """Begin to write, on this event loop, until `close`."""
        self._task = asyncio.create_task(self._run(), name="audit committer")

    async def flush(self) -> None:
        """Wait until everything added so far is durable.

        Raises:
            StoreUnavailable: the store does not answer; the records go on waiting.
        """
        if not self._waiting:
            return
        done = asyncio.get_running_loop().create_future()
        self._flushes.append((self._added, done))
        self._hurry.set()
        await done

    async def close(self, within_s: float = 5.0) -> None:
        """Write what waits, trying for `within_s` at most; what could not be written is counted in the log."""
        self._closing = True
        self._wake.set()
        self._hurry.set()
        if self._task is not None:
            try:
                await asyncio.wait([self._task], timeout=within_s)
            finally:
                self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
        if self._waiting:
            logger.error("audit records lost: the store does not answer", extra={"records": len(self._waiting)})
            self._settle(refused=self._flushes)
        await self._note()

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            if not self._closing:
                await self._pause(self._interval_s)
            await self._write_group()

    async def _write_group(self) -> None:
        pause = 0.0
        while error := await self._attempt():
            if not pause:
                logger.error("audit cannot be written; trying again", exc_info=error)
            pause = min(max(pause * 2, _PAUSE_S), _LONGEST_PAUSE_S)
            await self._pause(pause)
        if pause:
            logger.warning("audit is written again")
        if time.monotonic() >= self._anchor_due:
            await self._note()

    async def _attempt(self) -> Exception | None:
        """Write what waits at this moment; what comes meanwhile is for the next time."""
        self._wake.clear()
        self._hurry.clear()
        due, asking = len(self._waiting), [*self._flushes]
        while due:
            batch = list(islice(self._waiting, min(due, _BATCH)))
            try:
                self._reached = await self._database.write(_append, batch)
            except Exception as error:  # noqa: BLE001  whatever it is, the records stay and the task goes on
                for record in batch:
                    record.in_effect = True  # the commit may have succeeded and its answer been lost
                self._settle(refused=asking)
                return error
            due -= len(batch)
            for _ in batch:
                self._waiting.popleft()
            self._settle()
        return None

    def _settle(self, refused: Sequence[tuple[int, asyncio.Future[None]]] = ()) -> None:
        """Answer the flushes whose records are durable, and refuse those."""
        durable = self._added - len(self._waiting)
        for upto, done in self._flushes:
            if not done.done() and upto <= durable:
                done.set_result(None)
        for _, done in refused:
            if not done.done():
                done.set_exception(_unavailable())
        self._flushes = [flush for flush in self._flushes if not flush[1].done()]

    async def _pause(self, seconds: float) -> None:
        """Wait that long, or until a flush or the close asks for haste."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def _note(self) -> None:
        """Anchor the head that was reached, unless that is done."""
        if self._anchor is None or self._reached == self._anchored:
            return
        reached, self._anchor_due = self._reached, time.monotonic() + _ANCHOR_EVERY_S
        try:
            await asyncio.to_thread(write_anchor, self._anchor, reached)
            self._anchored = reached
        except OSError as error:
            logger.error("audit anchor cannot be written", exc_info=error)


def _append(connection: Connection, records: list[Record]) -> Head:
    append(connection, records)
    return head(connection)


def _unavailable() -> Exception:
    from ..errors import StoreUnavailable  # FastMCP's kind, which takes half a second to import

    return StoreUnavailable(
        "The audit cannot be written, so calls are refused.",
        suggestion="Try again; if it goes on, check that the store's database is running.",
    )
