"""The objects, with one revision for all of them and each collection's recent changes. One thread uses it."""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from .objects import Object, name_of, namespace_of

REMEMBERED = 2_000
"""Changes of a collection that a watch may still start before."""


class Stored:
    """One state of one object. It is never changed: a change stores another."""

    __slots__ = ("_encoded", "cells", "object", "revision")

    def __init__(self, value: Object, revision: int) -> None:
        self.object, self.revision = value, revision
        self.cells: list[Any] | None = None
        """Its row in a Table, where nothing in that row depends on the time."""
        self._encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """The object as JSON."""
        if self._encoded is None:
            self._encoded = msgspec.json.encode(self.object)
        return self._encoded


class Change(NamedTuple):
    revision: int
    type: str
    """ADDED, MODIFIED or DELETED."""
    stored: Stored
    before: Stored | None


class Collection:
    """All objects of one qualified plural, by namespace and name."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, Stored]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._changes: deque[Change] = deque()
        self._forgotten = 0
        self._waiting: set[asyncio.Event] = set()

    def get(self, namespace: str, name: str) -> Stored | None:
        return self._namespaces.get(namespace, {}).get(name)

    def items(self, namespace: str | None = None, after: tuple[str, str] = ("", "")) -> Iterator[Stored]:
        """In the order of namespace and name, after a place."""
        for each, names in self._names(namespace, after):
            found = self._namespaces[each]
            yield from (found[name] for name in names)

    def count(self, namespace: str | None, after: tuple[str, str]) -> int:
        """How many `items` there are."""
        return sum(len(names) for _, names in self._names(namespace, after))

    def _names(self, namespace: str | None, after: tuple[str, str]) -> Iterator[tuple[str, list[str]]]:
        for each in sorted(self._namespaces) if namespace is None else [namespace]:
            if each < after[0] or each not in self._namespaces:
                continue
            names = self._sorted.get(each)
            if names is None:
                names = self._sorted[each] = sorted(self._namespaces[each])
            yield each, names[bisect_right(names, after[1]) :] if each == after[0] else names

    def keep(self, stored: Stored) -> Stored | None:
        """Put an object in; returns its state before."""
        namespace, name = namespace_of(stored.object), name_of(stored.object)
        found = self._namespaces.setdefault(namespace, {})
        before = found.get(name)
        found[name] = stored
        if before is None:
            self._sorted.pop(namespace, None)
        return before

    def drop(self, namespace: str, name: str) -> Stored:
        self._sorted.pop(namespace, None)
        return self._namespaces[namespace].pop(name)

    def changed(self, change: Change) -> None:
        if len(self._changes) >= REMEMBERED:
            self._forgotten = self._changes.popleft().revision
        self._changes.append(change)
        for each in self._waiting:
            each.set()

    def since(self, revision: int) -> list[Change] | None:
        """The changes after a revision; None if some of them are forgotten."""
        if revision < self._forgotten:
            return None
        recent: list[Change] = []
        for change in reversed(self._changes):
            if change.revision <= revision:
                break
            recent.append(change)
        return recent[::-1]

    def forget(self) -> None:
        """Forget all changes, so that a watch from before now has expired."""
        if self._changes:
            self._forgotten = self._changes[-1].revision
            self._changes.clear()

    def subscribe(self) -> asyncio.Event:
        """An event that is set at each change, until `unsubscribe`."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        self._waiting.discard(event)


class Storage:
    """The collections, and the listeners that each change is given to."""

    def __init__(self) -> None:
        self.revision = 0
        self.listeners: list[Callable[[str, Change], None]] = []
        """Each is called with a collection's qualified plural and the change."""
        self._collections: dict[str, Collection] = {}

    def collection(self, qualified: str) -> Collection:
        if qualified not in self._collections:
            self._collections[qualified] = Collection()
        return self._collections[qualified]

    def get(self, qualified: str, namespace: str, name: str) -> Object | None:
        stored = self.collection(qualified).get(namespace, name)
        return stored.object if stored else None

    def objects(self, qualified: str, namespace: str | None = None) -> Iterator[Object]:
        return (stored.object for stored in list(self.collection(qualified).items(namespace)))

    def put(self, qualified: str, value: Object) -> Stored:
        """Store a new object or a new state of one. The object belongs to the storage from here on."""
        self.revision += 1
        value["metadata"]["resourceVersion"] = str(self.revision)
        stored = Stored(value, self.revision)
        before = self.collection(qualified).keep(stored)
        self._notify(qualified, Change(self.revision, "MODIFIED" if before else "ADDED", stored, before))
        return stored

    def remove(self, qualified: str, namespace: str, name: str) -> Object:
        """Remove an object; its last state has the revision of the removal."""
        before = self.collection(qualified).drop(namespace, name)
        self.revision += 1
        metadata = {**before.object["metadata"], "resourceVersion": str(self.revision)}
        stored = Stored({**before.object, "metadata": metadata}, self.revision)
        self._notify(qualified, Change(self.revision, "DELETED", stored, before))
        return stored.object

    def forget(self) -> None:
        """Forget all changes, so that every watch from before now has expired."""
        for collection in self._collections.values():
            collection.forget()

    def _notify(self, qualified: str, change: Change) -> None:
        self.collection(qualified).changed(change)
        for listener in self.listeners:
            listener(qualified, change)
