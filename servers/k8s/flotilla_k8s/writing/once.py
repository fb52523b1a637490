"""One write of one object, made once: marked, and only if the object is still what was read.

A write carries the resource version that was read, so of two that were sent, however late either arrives, one counts.
So a write without an answer is followed by another look: the mark is there, or the version is still the one that was
read and the same write goes again, or somebody else changed the object, then the change is thought over from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal

from flotilla_kit.effects import faults
from flotilla_kit.errors import Conflict

from ..cluster.place import Place
from ..errors import ClusterUnavailable
from ..objects import Object
from .live import deleted_since, read, spoken, uid_of
from .marks import is_made, is_marked

Result = Literal["created", "updated", "unchanged"]
Send = Callable[[], Awaitable[tuple[Object, bool]]]
"""Sends a write; the object after it, and whether it was not there before."""
Plan = Callable[[Object | None], Awaitable[Send | None]]
"""From the object as it is, what to send to change it, or None if it is as it should be."""
_LONGEST_PAUSE_S = 1.0


class ChangedMeanwhile(Conflict):
    """The object is not what it was when the change was asked for; this change was not made."""

    code = "changed_meanwhile"


async def write(place: Place, mark: str, before: str | None, plan: Plan) -> tuple[Result, Object]:
    """Change one object once; returns what that was and the object after it. It goes on until it knows, or is ended.

    Args:
        before: the object's uid when the change was asked for, None if it was not there.

    Raises:
        FlotillaError: a definite refusal, of the API server's or of `plan`.
    """
    for pause_s in _pauses():
        try:
            live = await read(place)
            if live is not None and is_marked(live, mark):
                return found_result(live, mark, before), live
            send = await plan(live)
            if send is None:
                return "unchanged", live or {}
            faults.point(f"before_write {place.kind.kind}")
            after, made = await send()
        except ClusterUnavailable:
            await asyncio.sleep(pause_s)
        except Conflict as conflict:
            if type(conflict) is not Conflict:
                raise
            await asyncio.sleep(pause_s)  # another version by now: look again
        else:
            faults.point(f"after_write {place.kind.kind}")
            return ("created" if made else "updated"), after
    raise AssertionError("the pauses have no end")


def found_result(live: Object, mark: str, before: str | None) -> Result:
    """What the write was that has left this mark, when its answer was lost: an update, if it was made over another.

    Args:
        before: as for `write`.
    """
    return "created" if before is None and is_made(live, mark) else "updated"


def require_same(place: Place, live: Object | None, before: str | None) -> None:
    """Return if the object is the one that the change was asked for.

    Raises:
        ChangedMeanwhile: it is gone, it came into being, or another has its name.
    """
    if deleted_since(live):
        raise changed_meanwhile(place, "is being deleted")
    if uid_of(live) != before:
        raise changed_meanwhile(
            place,
            "was made" if before is None else "was deleted" if live is None else "was deleted and made anew",
        )


def changed_meanwhile(place: Place, what: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        f"{spoken(place)} {what} since this was asked for; this change was not made to it.",
        suggestion="Read it again and decide anew; another call needs another idempotency_key.",
    )


def _pauses() -> Iterator[float]:
    pause_s = 0.05
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
