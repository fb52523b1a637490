"""A sandbox in which every change is counted, but those of controllers, with objects to change."""

import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from flotilla_k8s.writing.provisioning_plan import Wanted, objects

from .k8s_objects import OURS, config_map, deployment
from .k8s_sandbox import Sandbox

_CHURN = ("pods", "events", "endpoints", "replicasets.apps", "controllerrevisions.apps", "leases", "endpointslices")
_SETTLES_S = 20
Object = dict[str, Any]


class Effects:
    """Counts what happens to a sandbox's objects, and makes new ones uncounted."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.happened = 0
        self._sandbox = sandbox

    def prepare(self, namespaces: Sequence[str], *, provisioned: str) -> None:
        """Deployments without pods to restart and to take back, and a namespace that is provisioned; then count."""
        for name in namespaces:
            first = [deployment(each, name, replicas=0) for each in ("restarted", "undone")]
            self._sandbox.kubectl("apply", "-f", "-", stdin=first)
            self._revised(name, 1)
            second = deployment("undone", name, replicas=0, image="registry.example/web:2")
            self._sandbox.kubectl("apply", "-f", "-", stdin=second)
            self._revised(name, 2)
        plan = objects(Wanted(provisioned, "100", "500Gi"), "edit")
        self._sandbox.kubectl("apply", "--server-side", "--field-manager=flotilla", "-f", "-", stdin=plan)
        self._sandbox.running.cluster.storage.listeners.append(self._heard)

    def doomed(self, number: int) -> str:
        """The name of a new ConfigMap."""
        self._make("configmaps", config_map(f"doomed-{number}"))
        return f"doomed-{number}"

    def idle(self, number: int) -> str:
        """The name of a new ReplicaSet without pods."""
        spec = {**deployment(f"idle-{number}", replicas=0)["spec"]}
        metadata = {"name": f"idle-{number}", "namespace": OURS}
        made = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec, "status": {}}
        self._make("replicasets.apps", made)
        return f"idle-{number}"

    def _make(self, qualified: str, value: Object) -> None:
        cluster, done = self._sandbox.running.cluster, threading.Event()
        metadata = {**value["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": "2026-03-01T09:00:00Z"}

        def put() -> None:
            cluster.storage.put(qualified, {**value, "metadata": metadata})
            done.set()

        self._sandbox.loop.call_soon_threadsafe(put)
        assert done.wait(_SETTLES_S)

    def _revised(self, namespace: str, revision: int) -> None:
        """Wait until the controller has seen that revision."""
        storage, until = self._sandbox.running.cluster.storage, time.monotonic() + _SETTLES_S
        while time.monotonic() < until:
            live = storage.get("deployments.apps", namespace, "undone") or {}
            if (
                live.get("metadata", {}).get("annotations", {}).get("deployment.kubernetes.io/revision")
                == f"{revision}"
            ):
                return
            time.sleep(0.02)
        raise AssertionError("the controller does not get there")

    def _heard(self, qualified: str, change: Any) -> None:
        now, before = change.stored.object, change.before.object if change.before else None
        name = now["metadata"]["name"]
        if qualified in _CHURN and not (qualified == "replicasets.apps" and name.startswith("idle-")):
            return
        if before is None and name.startswith(("doomed-", "idle-")):
            return
        if change.type == "DELETED" or before is None or _content(before) != _content(now):
            self.happened += 1


def _content(value: Object) -> Object:
    """What callers can change of an object."""
    metadata: Object = value["metadata"]
    annotations: dict[str, str] = metadata.get("annotations") or {}
    said = {key: text for key, text in annotations.items() if not key.startswith("deployment.kubernetes.io/")}
    kept = {key: each for key, each in value.items() if key not in ("status", "metadata")}
    return {**kept, "labels": metadata.get("labels"), "annotations": said, "finalizers": metadata.get("finalizers")}
