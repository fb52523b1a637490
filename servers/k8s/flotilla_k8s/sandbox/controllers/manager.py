"""Runs the controllers: what changed is looked at again, at once or after a time."""

import asyncio
import heapq
import time
from collections.abc import Callable

from ..cluster import Cluster
from ..objects import Object, controller_of, get, is_terminating, name_of, namespace_of
from ..storage import Change
from . import custom, deployments, garbage, jobs, namespaces, pods, quotas, replicasets, sets
from .control import Control, Key

Reconcile = Callable[[Control, Object], float | None]
"""Bring what a cluster has closer to what an object asks for; returns in how many seconds to look again."""
_CONTROLLERS: dict[str, Reconcile] = {
    "customresourcedefinitions.apiextensions.k8s.io": custom.reconcile,
    "daemonsets.apps": sets.reconcile_daemon_set,
    "deployments.apps": deployments.reconcile,
    "jobs.batch": jobs.reconcile,
    "namespaces": namespaces.reconcile,
    "pods": pods.reconcile,
    "replicasets.apps": replicasets.reconcile,
    "resourcequotas": quotas.reconcile,
    "statefulsets.apps": sets.reconcile_stateful_set,
}
_NEVER_COUNTED = {"events", "leases.coordination.k8s.io"}


class Manager:
    """What is to be looked at, and when."""

    def __init__(self, cluster: Cluster) -> None:
        self._due: dict[Key, float] = {}
        self._queue: list[tuple[float, Key]] = []
        self._ahead = 0.0
        """By how much `settle` has run ahead of the clock."""
        self._cluster, self._control = cluster, Control(cluster, self._now)
        self._changed = asyncio.Event()
        cluster.storage.listeners.append(self._notice)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._changed.clear()
            wait = self._work(self._now())
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def settle(self, seconds: float) -> None:
        """Do at once what would happen within the next seconds."""
        end = self._now() + seconds
        while (wait := self._work(self._now())) is not None and self._now() + wait <= end:
            self._ahead += wait

    def _now(self) -> float:
        return time.monotonic() + self._ahead

    def _work(self, now: float) -> float | None:
        """Look at all that is due; returns the seconds until something is again."""
        while self._queue and self._queue[0][0] <= now:
            due, key = heapq.heappop(self._queue)
            if self._due.get(key) == due:
                del self._due[key]
                self._reconcile(key)
        return max(0.0, self._queue[0][0] - now) if self._queue else None

    def _reconcile(self, key: Key) -> None:
        value = self._cluster.storage.get(*key)
        if value is None:
            return
        if is_terminating(value) and value["metadata"].get("finalizers"):
            garbage.finalize(self._control, key, value)
            value = self._cluster.storage.get(*key)
        controller = _CONTROLLERS.get(key[0])
        if controller is not None and value is not None:
            again = controller(self._control, value)
            if again is not None:
                self._look(key, again)

    def _look(self, key: Key, after: float = 0.0) -> None:
        due = self._now() + after
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._queue, (due, key))
            self._changed.set()

    def _notice(self, qualified: str, change: Change) -> None:
        """What has to be looked at because of a change."""
        value = change.stored.object
        namespace, key = namespace_of(value), (qualified, namespace_of(value), name_of(value))
        if change.type == "DELETED":
            garbage.after_removal(self._control, qualified, value)
        elif qualified in _CONTROLLERS or get(value, "metadata", "finalizers"):
            self._look(key)
        if owner := controller_of(value):
            kind = self._cluster.kinds.named(owner["apiVersion"], owner["kind"])
            if kind is not None:
                self._look((kind.qualified, namespace if kind.namespaced else "", owner["name"]))
        if namespace and qualified not in _NEVER_COUNTED:
            for quota in self._cluster.storage.objects("resourcequotas", namespace):
                self._look(("resourcequotas", namespace, name_of(quota)))
            parent = self._cluster.storage.get("namespaces", "", namespace)
            if parent is not None and is_terminating(parent):
                self._look(("namespaces", "", namespace))
