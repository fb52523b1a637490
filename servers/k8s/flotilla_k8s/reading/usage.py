"""What is used: of a namespace its quotas and pods, of a cluster its nodes, by the metrics API where there is one."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from flotilla_kit.errors import NotFound
from lightkube.utils.quantity import parse_quantity

from ..cluster.cluster import Cluster
from ..cluster.kinds import Kind
from ..cluster.owned import POD
from ..errors import ClusterUnavailable, Forbidden
from ..models import Quota, Usage, Used
from ..objects import Object, mapping, mappings, text

_READ = frozenset({"get", "list"})
POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", True, _READ)
NODE_METRICS = Kind("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", False, _READ)
NODE = Kind("", "v1", "Node", "nodes", False, _READ)
QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas", True, _READ)
MOST = 1_000
_MEBI = Decimal(2**20)


async def namespace_usage(cluster: Cluster, namespace: str, limit: int) -> Usage:
    """The quotas of a namespace, and the pods that use most memory."""
    quotas = await cluster.list_objects(QUOTA, namespace, limit=100)
    measured = await _measured(cluster, POD_METRICS, namespace)
    found = await cluster.list_objects(POD, namespace, limit=MOST)
    pods: list[tuple[Decimal, Used]] = []
    for pod in mappings(found, "items"):
        name = text(pod, "metadata", "name")
        containers = mappings(pod, "spec", "containers")
        used = (measured or {}).get(name)
        wanted = _total(containers, "resources", "requests")
        capped = _total(containers, "resources", "limits")
        weight = (wanted if measured is None else used or {}).get("memory") or Decimal(0)
        pods.append((weight, _used(name, used, requests=wanted, limits=capped)))
    pods.sort(key=lambda each: each[0], reverse=True)
    return Usage(
        quotas=[_quota(each) for each in mappings(quotas, "items")] or None,
        pods=[used for _, used in pods[:limit]],
        more_pods=max(0, len(pods) - limit) or None,
        metrics=measured is not None,
    )


async def cluster_usage(cluster: Cluster, limit: int) -> Usage:
    """The nodes of a cluster, and what is used of them."""
    measured = await _measured(cluster, NODE_METRICS, None)
    found = await cluster.list_objects(NODE, limit=MOST)
    nodes = [
        _used(
            text(node, "metadata", "name"),
            (measured or {}).get(text(node, "metadata", "name")),
            allocatable=_parsed(mapping(node, "status", "allocatable")),
        )
        for node in mappings(found, "items")
    ]
    return Usage(nodes=nodes[:limit], more_nodes=max(0, len(nodes) - limit) or None, metrics=measured is not None)


async def _measured(cluster: Cluster, kind: Kind, namespace: str | None) -> dict[str, dict[str, Decimal]] | None:
    """By name; None where the cluster measures nothing."""
    try:
        found = await cluster.list_objects(kind, namespace, limit=MOST)
    except (NotFound, ClusterUnavailable, Forbidden):
        return None
    return {
        text(each, "metadata", "name"): _total(mappings(each, "containers"), "usage")
        if kind.namespaced
        else _parsed(mapping(each, "usage"))
        for each in mappings(found, "items")
    }


def _total(containers: Iterable[Object], *path: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        for resource, amount in _parsed(mapping(container, *path)).items():
            total[resource] = total.get(resource, Decimal(0)) + amount
    return total


def _parsed(said: Object) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for resource in ("cpu", "memory"):
        amount = parse_quantity(str(said[resource])) if resource in said else None
        if amount is not None:
            found[resource] = amount
    return found


def _used(name: str, used: dict[str, Decimal] | None, **other: dict[str, Decimal]) -> Used:
    said: dict[str, Any] = {key: _told(amounts) for key, amounts in other.items() if amounts}
    return Used(name=name, usage=_told(used) if used is not None else None, **said)


def _told(amounts: dict[str, Decimal]) -> str:
    """Such as `cpu 250m, memory 64Mi`."""
    said: list[str] = []
    if "cpu" in amounts:
        said.append(f"cpu {round(amounts['cpu'] * 1000)}m")
    if "memory" in amounts:
        said.append(f"memory {round(amounts['memory'] / _MEBI)}Mi")
    return ", ".join(said)


def _quota(value: Object) -> Quota:
    used, hard = mapping(value, "status", "used"), mapping(value, "status", "hard") or mapping(value, "spec", "hard")
    return Quota(
        name=text(value, "metadata", "name"),
        used_of_hard={resource: f"{used.get(resource, '0')} of {most}" for resource, most in hard.items()},
    )
