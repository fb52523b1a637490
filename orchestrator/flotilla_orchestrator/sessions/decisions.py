"""Waits until a person has decided about a call, by asking its server now and then; no connection stays open."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import Failure
from ..fleet.approvals import Approval, Approvals

_UNREACHABLE_S = 600  # a server, or its database, may restart while people think
_LONGEST_PAUSE_S = 30
_POLLS_PER_S = 5  # of all that wait in this process
_notifications: dict[str, asyncio.Future[None]] = {}  # by approval, from one wait for it to the one that continues it
_waiting: dict[asyncio.Future[None], bool] = {}  # whether the server has answered that nobody has decided yet


STEP_QUESTIONS = ""  # in place of a server: a step of the playbook asks, and the journal has the decision


@dataclass(frozen=True)
class DecisionRequest:
    """A decision that a person has to make, and the server that takes it."""

    server: str
    url: str
    approval: Approval


Notify = Callable[[DecisionRequest], Awaitable[None]]
"""Shows a request to whoever may decide. It may return before they have, and is cancelled once they have."""


def awaiting_people() -> int:
    """How many calls wait in this process, as far as is known for people only."""
    return sum(_waiting.values())


async def wait_for_decision(
    approvals: Approvals, pending: DecisionRequest, notify: Notify, *, continued: bool = False
) -> Approval:
    """The approval once it is no longer pending, whoever decided, from wherever.

    Args:
        continued: if it is cancelled, another call of this waits on: people are not told or asked a second time.

    Raises:
        Failure: `server_unavailable`, or what else may be tried again, for ten minutes; or the server's refusal, such
            as that it does not know the request any more.
    """
    began = last_answer_at = time.monotonic()
    approval_id = pending.approval.approval_id
    asking = _notifications.pop(approval_id, None) or asyncio.ensure_future(notify(pending))
    _waiting[asking] = False
    try:
        while True:
            now = time.monotonic()
            try:
                found = await approvals.get(approval_id)
                last_answer_at = now
            except Failure as failure:
                if not failure.retryable or now - last_answer_at > _UNREACHABLE_S:
                    raise
            else:
                if found.state != "pending":
                    return found
                _waiting[asking] = True
            # Often at first, seldom later: each look is a record in the server's audit.
            pause_s = min(max(0.1, (now - began) / 10), _LONGEST_PAUSE_S)
            pause_s = max(pause_s, (len(_waiting) - 1) / _POLLS_PER_S)
            if asking.done():
                asking.result()
                await asyncio.sleep(pause_s)
            else:
                await asyncio.wait([asking], timeout=pause_s)
    except asyncio.CancelledError:
        if continued:
            _notifications[approval_id] = asking
        raise
    finally:
        del _waiting[asking]
        if approval_id not in _notifications:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
