"""A run as server-sent events: each span as it is whenever it has changed, and at the end the run's record.

They come from the journal, so it does not matter which process works on the run, and the number of a change says where
a client goes on that was cut off.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from ..errors import Failure
from ..journal.run_events import FROM_THE_START, changed_after
from .records import run_record
from .resources import ServiceResources

_POLL_S = 0.2
_HEARTBEAT_S = 15
_RETRY_MS = 2000  # how soon a client comes again that was cut off
_ID = re.compile(r"([0-9]{1,9})(-end)?")


News = Callable[[], Awaitable[tuple[Sequence[str], bool]]]
"""What has happened since the last call, as events of a stream, and whether nothing follows."""


@dataclass(frozen=True)
class Seen:
    """The last event that a client has: the number of the change, and whether it was the run's end."""

    seq: int = FROM_THE_START
    end: bool = False


def last_seen(event_id: str | None) -> Seen:
    """Raises Failure `invalid_arguments`: it is not the id of an event."""
    if not event_id:
        return Seen()
    if (match := _ID.fullmatch(event_id)) is None:
        suggestion = "Send the id of the last event that came, or leave it out."
        raise Failure("invalid_arguments", "Last-Event-ID is not the id of an event of a run.", suggestion)
    return Seen(int(match[1]), bool(match[2]))


async def nothing_follows(resources: ServiceResources, run_id: str, seen: Seen) -> bool:
    """Whether the client has all there will be."""
    changes = await resources.journal.query(changed_after, run_id, seen.seq)
    return seen.end and changes is not None and changes.ended and not changes.spans


async def run_events(resources: ServiceResources, run_id: str, seen: Seen) -> AsyncGenerator[str]:
    """Until the run's end, or this process's."""
    seq = seen.seq

    async def changes() -> tuple[list[str], bool]:
        nonlocal seq
        found = await resources.journal.query(changed_after, run_id, seq)
        if found is None:  # forgotten meanwhile
            return [], True
        events: list[str] = []
        for seq, span in found.spans:
            events.append(_event("span", str(seq), asdict(span)))
        if found.ended and (run := await resources.journal.run(run_id)):
            return [*events, _event("run", f"{max(seq, 0)}-end", await run_record(resources.journal, run))], True
        return events, False

    async for event in event_stream(resources, changes, _POLL_S):
        yield event


async def event_stream(resources: ServiceResources, news: News, poll_s: float) -> AsyncGenerator[str]:
    """Server-sent events until the last one, or this process's end."""
    beat = time.monotonic()
    yield f"retry: {_RETRY_MS}\n\n"
    while not resources.stopping.is_set():
        events, last = await news()
        for event in events:
            yield event
        if last:
            return
        if time.monotonic() - beat > _HEARTBEAT_S:
            beat = time.monotonic()
            yield ": heartbeat\n\n"
        with suppress(TimeoutError):
            await asyncio.wait_for(resources.stopping.wait(), poll_s)


def _event(name: str, event_id: str, data: object) -> str:
    return f"id: {event_id}\nevent: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
