"""Waits until a person has decided about a call: no process of the session runs meanwhile, and nothing is held."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .approvals import Approval, Approvals, ServerUnavailable

_UNREACHABLE_S = 600  # a server may restart while people think
_LONGEST_PAUSE_S = 5


@dataclass(frozen=True)
class Pending:
    """What a person is asked, and where a decision is taken."""

    server: str
    url: str
    approval: Approval


Ask = Callable[[Pending], Awaitable[None]]
"""Brings a request before whoever may decide. It may return before they have, and is cancelled once they have."""


async def decision(approvals: Approvals, pending: Pending, ask: Ask) -> Approval:
    """The approval once it is no longer pending, whoever decided, from wherever.

    Raises:
        ServerUnavailable: the server has been gone for ten minutes.
        Failure: it does not know the request any more.
    """
    began = heard = time.monotonic()
    asking = asyncio.ensure_future(ask(pending))
    try:
        while True:
            now = time.monotonic()
            try:
                found = await approvals.get(pending.approval.approval_id)
                heard = now
            except ServerUnavailable:
                if now - heard > _UNREACHABLE_S:
                    raise
            else:
                if found.state != "pending":
                    return found
            # Often at first, seldom later: each look is a record in the server's audit.
            pause_s = min(max(0.1, (now - began) / 10), _LONGEST_PAUSE_S)
            if asking.done():
                asking.result()
                await asyncio.sleep(pause_s)
            else:
                await asyncio.wait([asking], timeout=pause_s)
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
