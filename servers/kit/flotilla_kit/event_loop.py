"""The event loop that servers run on."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end, on uvloop where there is one."""
    try:
        import uvloop
    except ModuleNotFoundError:  # Windows
        asyncio.run(serving)
    else:
        uvloop.run(serving)
