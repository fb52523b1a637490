"""Waits for something or an event, whichever comes first."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def first_of(awaited: Awaitable[T], event: asyncio.Event) -> asyncio.Future[T]:
    """Wait for one of them; what is awaited is done then, or cancelled, as its future says."""
    future, waiting = asyncio.ensure_future(awaited), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([future, waiting], return_when=asyncio.FIRST_COMPLETED)
        return future
    finally:
        for one in (future, waiting):
            one.cancel()
        await asyncio.gather(future, waiting, return_exceptions=True)
