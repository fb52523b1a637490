"""Time to work in: it passes while something works, and stands still while everything waits."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Self


class Deadline:
    """So many seconds of work.

    Args:
        above: what this is a part of; while something works on this, so it does on that.
        used: how many of them are used up.
    """

    def __init__(
        self,
        seconds: float,
        above: "Self | None" = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        used: float = 0,
    ) -> None:
        self.seconds = seconds
        self._above, self._clock, self._used = above, clock, used
        self._working = 0
        self._since = 0.0
        self._over = False
        self._scopes: set[asyncio.Timeout] = set()

    @property
    def left(self) -> float:
        """Seconds, 0 at least; no more than what this is a part of has."""
        return min(self._own_left, self._above.left) if self._above else self._own_left

    @property
    def used(self) -> float:
        """Seconds worked so far; what works side by side counts once."""
        return self._used + (self._clock() - self._since if self._working else 0)

    @property
    def _own_left(self) -> float:
        return 0.0 if self._over else max(0.0, self.seconds - self.used)

    def take_up(self, used: float) -> None:
        """Other processes have worked, too: so much is used up at least."""
        self._used += max(0.0, used - self.used)

    def cut(self) -> None:
        """The time is up now."""
        self._over = True
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(0)

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """The time passes during the block, which ends with TimeoutError when it is up, here or above."""
        async with self._above.at_work() if self._above else nullcontext():
            if not self._working:
                self._since = self._clock()
            self._working += 1
            try:
                async with asyncio.timeout(self._own_left) as scope:
                    self._scopes.add(scope)
                    try:
                        yield
                    finally:
                        self._scopes.remove(scope)
            finally:
                self._working -= 1
                if not self._working:
                    self._used += self._clock() - self._since
