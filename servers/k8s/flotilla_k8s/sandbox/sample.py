"""What is in a sandbox when it starts: what every cluster has, the sample teams, and pods for benchmarks."""

import re
from datetime import datetime
from typing import Any

from . import changes, manifests
from .access import rules
from .cluster import Cluster
from .controllers.manager import Manager
from .objects import Object, copied, get, is_list, is_object, name_of, namespace_of, new_uid, seconds_of, timestamp
from .write import Write, random_suffix

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DAY_S = 86_400
_SINCE_S = {"team-a": 21 * _DAY_S, "team-b": 12 * _DAY_S, "monitoring": 60 * _DAY_S}
_OLDEST_S = 90 * _DAY_S
_STALLED_S = 25 * 60
"""How long ago the stalled rollouts of the sample began."""
_PODS_A_DEPLOYMENT, _DEPLOYMENTS_A_NAMESPACE = 100, 5


def fill(cluster: Cluster, manager: Manager) -> None:
    """Put in what the options ask for, as if it had been there for a while."""
    for qualified, value in manifests.bootstrap(rules.cluster_roles()):
        make(cluster, qualified, value)
    manager.settle(60)
    if cluster.options.data == "sample":
        for qualified, value in manifests.teams():
            make(cluster, qualified, value)
        manager.settle(60)
    load = _bench(cluster, manager, cluster.options.pods)
    _backdate(cluster, None)
    if cluster.options.data == "sample":
        began = seconds_of(timestamp()) - 5
        for qualified, namespace, name, change in manifests.STALLED_CHANGES:
            write = Write(cluster.kind(qualified), namespace, name, manager="deploy-bot")
            changes.patch(cluster, write, changes.STRATEGIC_PATCH, change)
        manager.settle(60)
        _backdate(cluster, began)
    for namespace, name, replicas in load:
        _multiply(cluster, namespace, name, replicas)


def make(cluster: Cluster, qualified: str, value: Object) -> Object:
    """Create an object, with its status, as whoever set the cluster up."""
    write = Write(cluster.kind(qualified), namespace_of(value), name_of(value), manager="cluster-setup")
    made = changes.create(cluster, write, value)
    if "status" not in value:
        return made
    write.subresource = "status"
    return changes.replace(cluster, write, {**made, "status": value["status"]})


def _backdate(cluster: Cluster, since: float | None) -> None:
    """Move the times of all objects into the past, or only those since a time; older events are gone by then."""
    for qualified in cluster.kinds.plurals():
        for value in cluster.storage.objects(qualified):
            if since is None and qualified == "events":
                cluster.storage.remove(qualified, namespace_of(value), name_of(value))
                continue
            namespace = namespace_of(value) or (name_of(value) if qualified == "namespaces" else "")
            by = _SINCE_S.get(namespace, _OLDEST_S) if since is None else _STALLED_S
            moved = _moved(value, by, since or 0.0)
            if moved != value:
                cluster.storage.put(qualified, moved)
    cluster.storage.forget()


def _moved(value: Any, by: float, since: float) -> Any:
    if is_object(value):
        return {key: _moved(each, by, since) for key, each in value.items()}
    if is_list(value):
        return [_moved(each, by, since) for each in value]
    if isinstance(value, str) and _STAMP.fullmatch(value):
        at = datetime.fromisoformat(value).timestamp()
        return timestamp(at - by) if at >= since else value
    return value


def _bench(cluster: Cluster, manager: Manager, count: int) -> list[tuple[str, str, int]]:
    """Deployments of one pod each, with how many it is to have: copies of a pod share all but their metadata."""
    load: list[tuple[str, str, int]] = []
    for number in range(-(-count // _PODS_A_DEPLOYMENT)):
        namespace, name = f"bench-{number // _DEPLOYMENTS_A_NAMESPACE}", f"load-{number % _DEPLOYMENTS_A_NAMESPACE}"
        if cluster.storage.get("namespaces", "", namespace) is None:
            make(cluster, "namespaces", {"metadata": {"name": namespace}})
        image = f"registry.example/bench/{name}:1.0"
        make(cluster, "deployments.apps", manifests.deployment(namespace, name, 1, image))
        load.append((namespace, name, min(_PODS_A_DEPLOYMENT, count - number * _PODS_A_DEPLOYMENT)))
    manager.settle(60)
    return load


def _multiply(cluster: Cluster, namespace: str, name: str, replicas: int) -> None:
    mine = [pod for pod in cluster.storage.objects("pods", namespace) if name_of(pod).startswith(f"{name}-")]
    for _ in range(replicas - 1):
        metadata = {**mine[0]["metadata"], "name": f"{mine[0]['metadata']['generateName']}{random_suffix()}"}
        cluster.storage.put("pods", {**mine[0], "metadata": {**metadata, "uid": new_uid()}})
    for qualified in ("replicasets.apps", "deployments.apps"):
        for value in cluster.storage.objects(qualified, namespace):
            if name_of(value) == name or get(value, "metadata", "ownerReferences", default=[{}])[0].get("name") == name:
                value = copied(value)
                value["spec"]["replicas"] = replicas
                counts = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "fullyLabeledReplicas")
                value["status"] |= {key: replicas for key in counts if key in value["status"]}
                cluster.storage.put(qualified, value)
