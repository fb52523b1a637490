"""Events of a namespace or an object, newest first."""

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass

from flotilla_kit.paging import Page, decode_cursor, page_within

from ..cluster.cluster import Cluster
from ..cluster.kinds import Kind
from ..models import EventInfo
from ..objects import Object, at, mapping, mappings, text

EVENT = Kind("", "v1", "Event", "events", True, frozenset({"get", "list"}))
"""Every API server has it."""
MOST = 10_000  # events that are looked at
LONGEST = 400  # characters of a message
_CHUNK = 500


@dataclass(frozen=True)
class EventFilter:
    """Which events: about an object of that kind or name, only warnings, since an instant."""

    kind: str | None = None
    name: str | None = None
    warnings: bool = False
    since: str | None = None

    @property
    def selector(self) -> str | None:
        """As the API server's field selector; the values were checked to be names."""
        wanted = {"involvedObject.kind": self.kind, "involvedObject.name": self.name}
        parts = [f"{field}={value}" for field, value in wanted.items() if value is not None]
        return ",".join([*parts, *(["type=Warning"] if self.warnings else [])]) or None


async def list_events(
    cluster: Cluster, namespace: str | None, which: EventFilter, limit: int, cursor: str | None, max_bytes: int
) -> Page[EventInfo]:
    """A page of them. All are read in chunks, for an API server has them in no order; a page of the newest is kept."""
    after = None if cursor is None else decode_cursor(cursor, str, str)
    newest: list[tuple[tuple[str, str], int, Object]] = []
    number = 0
    async for event in read_events(cluster, namespace, which):
        position = (last_seen(event), text(event, "metadata", "uid") or text(event, "metadata", "name"))
        if (which.since is not None and position[0] < which.since) or (after is not None and position >= after):
            continue
        number += 1
        keep = heapq.heappush if len(newest) <= limit else heapq.heappushpop
        keep(newest, (position, number, event))
    found = sorted(newest, key=lambda each: each[:2], reverse=True)
    positions = (position for position, _, _ in found)
    described = (describe(cluster, event, namespace is None) for _, _, event in found)
    return page_within(described, max_bytes, lambda _: next(positions), limit=limit)


async def read_events(cluster: Cluster, namespace: str | None, which: EventFilter) -> AsyncIterator[Object]:
    """Events as the API server has them, in its order, at most `MOST`."""
    token, seen = None, 0
    while seen < MOST:
        page = await cluster.list_objects(EVENT, namespace, fields=which.selector, limit=_CHUNK, token=token)
        for event in mappings(page, "items"):
            seen += 1
            yield event
        token = at(page, "metadata", "continue")
        if not token:
            return


def last_seen(event: Object) -> str:
    """When it happened last, as RFC 3339 in seconds."""
    said = at(event, "series", "lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(said or at(event, "metadata", "creationTimestamp") or "")[:19] + "Z"


def describe(cluster: Cluster, event: Object, everywhere: bool) -> EventInfo:
    """An event in few words, without secrets."""
    about = mapping(event, "involvedObject")
    count = at(event, "series", "count") or event.get("count")
    return EventInfo(
        last_seen=last_seen(event),
        type=text(event, "type"),
        reason=text(event, "reason"),
        object=f"{about.get('kind')}/{about.get('name')}",
        namespace=(text(event, "metadata", "namespace") or None) if everywhere else None,
        count=count if isinstance(count, int) and count > 1 else None,
        message=cluster.redactor.text(text(event, "message"))[:LONGEST],
    )
