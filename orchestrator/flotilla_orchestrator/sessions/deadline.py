"""Deadlines that count working time only: time passes while something works, and not while everything waits."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Self


class Deadline:
    """A number of seconds of working time.

    Args:
        parent: the deadline that this one is part of; its time passes, too, while something works here.
        used: how many of the seconds are used up.
    """

    def __init__(
        self,
        seconds: float,
        parent: "Self | None" = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        used: float = 0,
    ) -> None:
        self.seconds = seconds
        self._parent, self._clock, self._used = parent, clock, used
        self._running_count = 0
        self._started_at = 0.0
        self._expired = False
        self._scopes: set[asyncio.Timeout] = set()

    @property
    def remaining(self) -> float:
        """Seconds, 0 at least; no more than the parent has."""
        return min(self._own_remaining, self._parent.remaining) if self._parent else self._own_remaining

    @property
    def used(self) -> float:
        """Seconds worked so far; parallel work counts once."""
        return self._used + (self._clock() - self._started_at if self._running_count else 0)

    @property
    def _own_remaining(self) -> float:
        return 0.0 if self._expired else max(0.0, self.seconds - self.used)

    def advance_to(self, used: float) -> None:
        """Count what other processes have worked: at least so many seconds are used up."""
        self._used += max(0.0, used - self.used)

    def expire(self) -> None:
        """End the time now."""
        self._expired = True
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(0)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["RunningTime"]:
        """The time passes during the block, which ends with TimeoutError when it is up, here or of a parent."""
        async with self._parent.running() if self._parent else nullcontext() as parent:
            self._start()
            try:
                async with asyncio.timeout(self._own_remaining) as scope:
                    self._scopes.add(scope)
                    try:
                        yield RunningTime(self, scope, parent)
                    finally:
                        self._scopes.remove(scope)
            finally:
                self._stop()

    @contextmanager
    def suspended(self, scope: asyncio.Timeout) -> Generator[None]:
        """No time of a block of `running` passes during this one, and it cannot be up, unless it expires."""
        scope.reschedule(None)
        self._stop()
        try:
            yield
        finally:
            self._start()
            if scope in self._scopes and not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time() + self._own_remaining)

    def _start(self) -> None:
        if not self._running_count:
            self._started_at = self._clock()
        self._running_count += 1

    def _stop(self) -> None:
        self._running_count -= 1
        if not self._running_count:
            self._used += self._clock() - self._started_at


@dataclass(frozen=True)
class RunningTime:
    """A block of `Deadline.running`, and those of its parents."""

    deadline: Deadline
    scope: asyncio.Timeout
    parent: "RunningTime | None"

    @contextmanager
    def suspended(self) -> Generator[None]:
        """No time passes during this block, here or of parents. It may be in another task."""
        with self.parent.suspended() if self.parent else nullcontext(), self.deadline.suspended(self.scope):
            yield
