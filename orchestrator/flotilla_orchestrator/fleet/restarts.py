"""Waits for a server that is being started anew, where asking it again cannot do anything twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import Failure

T = TypeVar("T")

RESTART_S = 30  # within which a container or a pod is back; nobody looks on in a queue, so a run may wait for it
_PAUSE_S = 0.5
_NO_ANSWER = {"server_unavailable", "server_failed"}


async def answered(ask: Callable[[], Awaitable[T]], restart_s: float) -> T:
    """What `ask` returns; while the server does not answer, it is asked again, for so many seconds.

    Raises:
        Failure: of `ask`; at once if it is the server's answer, or another attempt would not help.
    """
    ends = time.monotonic() + restart_s
    while True:
        try:
            return await ask()
        except Failure as failure:
            if failure.code not in _NO_ANSWER or not failure.retryable or time.monotonic() >= ends:
                raise
        await asyncio.sleep(_PAUSE_S)
