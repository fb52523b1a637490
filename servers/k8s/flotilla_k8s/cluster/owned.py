"""What belongs to a workload: its ReplicaSets and its pods."""

from collections.abc import Iterable

from ..objects import Object, mapping, mappings, text
from .kinds import Kind
from .place import Place

REVISION = "deployment.kubernetes.io/revision"
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets", True, frozenset({"get", "list"}))
POD = Kind("", "v1", "Pod", "pods", True, frozenset({"get", "list"}))
MOST_PODS = 200


async def replica_sets(place: Place, deployment: Object) -> list[Object]:
    """The ReplicaSets of a Deployment, newest revision first."""
    found = await place.cluster.list_objects(REPLICA_SET, place.namespace, labels=selector(deployment), limit=MOST_PODS)
    sets = [each for each in mappings(found, "items") if owned(each, deployment)]
    return sorted(sets, key=_revision, reverse=True)


async def pods(place: Place, owner: Object) -> list[Object]:
    """Pods of a ReplicaSet, StatefulSet or DaemonSet."""
    found = await place.cluster.list_objects(POD, place.namespace, labels=selector(owner), limit=MOST_PODS)
    return [each for each in mappings(found, "items") if owned(each, owner)]


def owned(value: Object, owner: Object) -> bool:
    """Whether an object belongs to another."""
    uid = text(owner, "metadata", "uid")
    return any(each.get("uid") == uid for each in mappings(value, "metadata", "ownerReferences"))


def selector(workload: Object) -> str:
    """The label selector of a workload as text."""
    parts = [f"{key}={value}" for key, value in mapping(workload, "spec", "selector", "matchLabels").items()]
    for each in mappings(workload, "spec", "selector", "matchExpressions"):
        parts.append(_expression(each))
    return ",".join(parts)


def _expression(each: Object) -> str:
    key, values = text(each, "key"), ",".join(map(str, _texts(each.get("values"))))
    match text(each, "operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return key
        case _:
            return f"!{key}"


def _texts(values: object) -> Iterable[object]:
    return values if isinstance(values, list) else ()  # pyright: ignore[reportUnknownVariableType]  # JSON


def _revision(replica_set: Object) -> int:
    said = text(replica_set, "metadata", "annotations", REVISION)
    return int(said) if said.isdigit() else 0
