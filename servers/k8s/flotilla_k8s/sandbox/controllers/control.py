"""What every controller works with: the cluster, who owns what in it, and events."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from .. import changes, deletion
from ..cluster import Cluster
from ..objects import (
    Object,
    annotation,
    controller_of,
    get,
    has_condition,
    is_terminating,
    name_of,
    namespace_of,
    new_uid,
    owner_reference,
    timestamp,
    uid_of,
)
from ..storage import Change
from ..write import Write, random_suffix

Key = tuple[str, str, str]
"""Qualified plural, namespace and name of an object."""
REVISION = "deployment.kubernetes.io/revision"
STALL = "sandbox.flotilla.dev/stall"
"""Annotation of a pod or of what makes it: image-pull, quota, scheduling, probe or crash."""

_FIRST_S, _LONGEST_S = 0.25, 300.0


class Control:
    """The cluster as controllers read and change it."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self.cluster, self.storage = cluster, cluster.storage
        self._clock = clock
        self._begun: dict[tuple[str, str], float] = {}
        self._failures: dict[str, int] = {}
        self._owned: dict[str, set[Key]] = {}
        self.storage.listeners.append(self._index)

    def _index(self, qualified: str, change: Change) -> None:
        value = change.stored.object
        key = (qualified, namespace_of(value), name_of(value))
        before = change.before.object if change.before else {}
        for owner in get(before, "metadata", "ownerReferences", default=[]):
            self._owned.get(owner["uid"], set()).discard(key)
        if change.type != "DELETED":
            for owner in get(value, "metadata", "ownerReferences", default=[]):
                self._owned.setdefault(owner["uid"], set()).add(key)

    def left(self, value: Object, what: str, seconds: float) -> float:
        """What is left of the seconds that something takes for an object, from the first call on; 0 when it is over."""
        now = self._clock()
        return max(0.0, self._begun.setdefault((uid_of(value), what), now) + seconds - now)

    def over(self, value: Object, what: str) -> None:
        """What took time for an object is over for good."""
        self._begun.pop((uid_of(value), what), None)

    def back_off(self, value: Object, failed: bool) -> float | None:
        """In how many seconds to try again what failed for an object, more each time; None after a success."""
        if not failed:
            self._failures.pop(uid_of(value), None)
            return None
        count = self._failures[uid_of(value)] = self._failures.get(uid_of(value), 0) + 1
        self.over(value, "back off")
        return self.left(value, "back off", min(_LONGEST_S, _FIRST_S * 2**count))

    def backs_off(self, value: Object) -> float:
        """What is left until something is tried again for an object."""
        count = self._failures.get(uid_of(value))
        return self.left(value, "back off", min(_LONGEST_S, _FIRST_S * 2**count)) if count else 0.0

    def dependents(self, owner: Object) -> Iterator[tuple[str, Object]]:
        """The objects that have an object among their owners, each with its qualified plural."""
        for key in sorted(self._owned.get(uid_of(owner), ())):
            if (value := self.storage.get(*key)) is not None:
                yield key[0], value

    def owned(self, owner: Object, qualified: str) -> list[Object]:
        """The objects of a kind that an object is the controller of, oldest first."""
        found = (value for plural, value in self.dependents(owner) if plural == qualified)
        ours = (each for each in found if get(controller_of(each), "uid") == uid_of(owner))
        return sorted(ours, key=lambda each: (each["metadata"]["creationTimestamp"], name_of(each)))

    def live(self, qualified: str, value: Object) -> Object | None:
        """The present state of an object that was read before; None if it is gone."""
        return self.storage.get(qualified, namespace_of(value), name_of(value))

    def update(self, qualified: str, live: Object, **parts: Any) -> Object:
        """Store an object with some of its parts replaced; nothing if they are the same."""
        value = {**live, **parts}
        if value == live:
            return live
        value["metadata"] = dict(value["metadata"])
        return self.storage.put(qualified, value).object

    def create(self, qualified: str, value: Object) -> Object:
        """Create an object as the controllers do.

        Raises:
            ApiError: as for everybody.
        """
        write = Write(self.cluster.kind(qualified), namespace_of(value), manager="kube-controller-manager")
        return changes.create(self.cluster, write, value)

    def delete(self, qualified: str, value: Object, grace: int | None = None) -> None:
        write = Write(self.cluster.kind(qualified), namespace_of(value), name_of(value))
        deletion.delete(self.cluster, write, {} if grace is None else {"gracePeriodSeconds": grace})

    def remove(self, qualified: str, value: Object) -> None:
        """Remove an object that has come to its end."""
        self.storage.remove(qualified, namespace_of(value), name_of(value))

    def create_pod(self, owner: Object, labels: Object | None = None, name: str = "") -> Object:
        """Create a pod from the template of what makes it.

        Raises:
            ApiError: nothing can be created there, or a quota is exceeded.
        """
        template: Object = get(owner, "spec", "template", default={})
        annotations = get(template, "metadata", "annotations", default={})
        metadata: Object = {
            "namespace": namespace_of(owner),
            "labels": {**get(template, "metadata", "labels", default={}), **(labels or {})},
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [owner_reference(owner)],
            "name": name or f"{name_of(owner)}-{random_suffix()}",
            **({} if name else {"generateName": f"{name_of(owner)}-"}),
        }
        return self.create("pods", {"metadata": metadata, "spec": get(template, "spec", default={})})

    def event(self, involved: Object, reason: str, message: str, component: str, *, warning: bool = False) -> None:
        """Record an event; the same one again counts."""
        namespace = namespace_of(involved) or "default"
        number = zlib.crc32(f"{uid_of(involved)}{reason}{message}".encode())
        name, now = f"{name_of(involved)}.{number:016x}", timestamp()
        known = self.storage.get("events", namespace, name)
        if known is not None:
            self.update("events", known, count=known["count"] + 1, lastTimestamp=now)
            return
        metadata = {"name": name, "namespace": namespace, "uid": new_uid(), "creationTimestamp": now}
        value = {
            **self.cluster.kind("events").head(),
            "metadata": metadata,
            "involvedObject": {
                "apiVersion": involved["apiVersion"],
                "kind": involved["kind"],
                "name": name_of(involved),
                "namespace": namespace_of(involved),
                "uid": uid_of(involved),
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        if self.storage.get("namespaces", "", namespace) is not None:
            self.storage.put("events", value)


def is_ready(pod: Object) -> bool:
    return has_condition(pod, "Ready")


def is_active(pod: Object) -> bool:
    return get(pod, "status", "phase") not in ("Succeeded", "Failed") and not is_terminating(pod)


def stall_of(value: Object) -> str | None:
    return annotation(value, STALL)
