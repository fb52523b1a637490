"""One write: where it goes, who makes it, and what is there already."""

import secrets
from dataclasses import dataclass, field

from .cluster import Cluster
from .kinds import Kind
from .objects import Object, get
from .patches.ownership import Manager
from .status import ApiError, conflict, not_found

NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Write:
    """Where a write goes, who makes it, and how it was asked for."""

    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""
    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    """Of fields the kind does not have: Strict, Warn or Ignore."""
    force: bool = False
    warnings: list[str] = field(default_factory=list[str])

    def by(self, operation: str) -> Manager:
        return Manager(self.manager, operation, self.kind.api_version, self.subresource)


def random_suffix() -> str:
    return "".join(secrets.choice(NAME_LETTERS) for _ in range(5))


def existing(cluster: Cluster, write: Write) -> Object:
    live = cluster.storage.get(write.kind.qualified, write.namespace, write.name)
    if live is None:
        raise not_found(write.kind, write.name)
    return live


def ends_later(kind: Kind, value: Object, grace: int | None = None) -> bool:
    """Whether something still has to happen before the object is gone: a pod's processes, a namespace's content."""
    if kind.qualified == "namespaces":
        return bool(get(value, "spec", "finalizers"))
    return kind.qualified == "pods" and grace != 0 and get(value, "spec", "nodeName") is not None


def other_uid(kind: Kind, name: str, given: str, present: str) -> ApiError:
    why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {present}"
    return conflict(kind, name, why)


def scale_of(value: Object) -> Object:
    """The `scale` subresource of a workload."""
    labels = get(value, "spec", "selector", "matchLabels", default={})
    metadata = {key: each for key, each in value["metadata"].items() if key in
                ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}  # fmt: skip
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": get(value, "spec", "replicas", default=0)},
        "status": {
            "replicas": get(value, "status", "replicas", default=0),
            "selector": ",".join(f"{key}={each}" for key, each in labels.items()),
        },
    }
