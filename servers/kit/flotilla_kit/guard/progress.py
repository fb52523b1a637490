"""What a running tool tells its caller of how far it is: MCP progress notifications, bounded in length and number."""

import time

from fastmcp.server.dependencies import get_context

from ..terminal.output import visible
from .call import CURRENT

MOST_MESSAGE = 200  # characters
EVERY_S = 0.2  # between two of one call: it is to be seen, and no second way to send an answer


async def progress(done: float, total: float | None = None, message: str = "") -> None:
    """Tell the caller how far the running tool is, if it asked to be told; otherwise nothing happens.

    What comes within `EVERY_S` of the last one told, or is no further than that, is dropped: call it as often as you
    like. A message is cut to `MOST_MESSAGE` characters in one line.

    Args:
        done: it must grow from one call to the next.
        total: what `done` will be at the end, in the same unit; None if that is not known.
    """
    call, now = CURRENT.get(), time.monotonic()
    if call.evaluating or done <= call.progress_done or now < call.progress_due:
        return
    call.progress_done, call.progress_due = done, now + EVERY_S
    await get_context().report_progress(done, total, visible(message[:MOST_MESSAGE])[:MOST_MESSAGE] or None)
