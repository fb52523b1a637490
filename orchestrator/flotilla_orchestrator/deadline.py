"""Time to work in: it runs while machines work, and stands still while a person thinks."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Self


class Deadline:
    """So many seconds from now on.

    Args:
        above: what this is a part of; while this one is paused, so is that.
    """

    def __init__(
        self, seconds: float, above: "Self | None" = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self._above, self._clock = above, clock
        self._end = clock() + seconds
        self._pauses = 0
        self._paused_at = 0.0
        self._enforced: set[asyncio.Timeout] = set()

    @property
    def left(self) -> float:
        """Seconds, 0 at least."""
        return max(0.0, self._end - (self._paused_at if self._pauses else self._clock()))

    @contextmanager
    def paused(self) -> Generator[None]:
        """Stands still, with all above, until the last of such blocks ends."""
        with self._above.paused() if self._above else nullcontext():
            if not self._pauses:
                self._paused_at = self._clock()
                self._reschedule(None)
            self._pauses += 1
            try:
                yield
            finally:
                self._pauses -= 1
                if not self._pauses:
                    self._end += self._clock() - self._paused_at
                    self._reschedule(self.left)

    @asynccontextmanager
    async def enforced(self) -> AsyncGenerator[None]:
        """Ends the block with TimeoutError when the time is up."""
        async with asyncio.timeout(None if self._pauses else self.left) as scope:
            self._enforced.add(scope)
            try:
                yield
            finally:
                self._enforced.remove(scope)

    def _reschedule(self, seconds: float | None) -> None:
        for scope in self._enforced:
            if not scope.expired():
                scope.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
