"""Watches: the changes of a collection as they happen, one JSON object a line."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from .cluster import Cluster
from .kinds import Kind
from .objects import Object, namespace_of
from .reading import filters, whole
from .selectors import Matches, match_all
from .status import expired
from .storage import Change, Stored

Encode = Callable[[Stored], bytes]
_DEFAULT_S = 1800


async def events(
    cluster: Cluster, kind: Kind, namespace: str | None, query: Mapping[str, str], encode: Encode
) -> AsyncIterator[bytes]:
    """The lines of a watch, until its time is over or what follows is forgotten (410).

    Args:
        encode: an object as it was asked for: itself, its metadata, or a Table of one row.
    """
    collection, wanted = cluster.storage.collection(kind.qualified), filters(kind, query)
    until = time.monotonic() + (whole(query, "timeoutSeconds") or _DEFAULT_S)
    revision = whole(query, "resourceVersion")
    initial, bookmarks = query.get("sendInitialEvents") == "true", query.get("allowWatchBookmarks") == "true"
    changed = collection.subscribe()
    try:
        if initial or not revision:
            revision = cluster.storage.revision
            for stored in collection.items(namespace):
                if match_all(wanted, stored.object):
                    yield _line("ADDED", encode(stored))
            if initial and bookmarks:
                yield _bookmark(kind, revision, {"k8s.io/initial-events-end": "true"})
        while True:
            changed.clear()
            found = collection.since(revision)
            if found is None:
                yield _line("ERROR", msgspec.json.encode(expired(f"too old resource version: {revision}").status()))
                return
            for change in found:
                revision = change.revision
                if namespace in (None, namespace_of(change.stored.object)) and (line := _event(change, wanted, encode)):
                    yield line
            left = until - time.monotonic()
            try:
                async with asyncio.timeout(min(left, cluster.options.bookmark_s)):
                    await changed.wait()
            except TimeoutError:
                if left <= cluster.options.bookmark_s:
                    return
                if bookmarks:
                    yield _bookmark(kind, max(revision, cluster.storage.revision))
    finally:
        collection.unsubscribe(changed)


def _event(change: Change, wanted: list[Matches], encode: Encode) -> bytes | None:
    """A change as someone sees it who watches what a selector selects."""
    now = change.type != "DELETED" and match_all(wanted, change.stored.object)
    then = change.before is not None and match_all(wanted, change.before.object)
    if not now and not then:
        return None
    kind = "MODIFIED" if now and then else "ADDED" if now else "DELETED"
    return _line(kind, encode(change.stored))


def _line(kind: str, encoded: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), encoded)


def _bookmark(kind: Kind, revision: int, annotations: Object | None = None) -> bytes:
    metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return _line("BOOKMARK", msgspec.json.encode({**kind.head(), "metadata": metadata}))
