"""The columns that a Table shows of each kind, as the real server prints it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .cells import (
    bound_role,
    containers,
    external_addresses,
    hosts,
    involved_object,
    job_duration,
    job_state,
    json_path,
    last_seen,
    node_roles,
    node_status,
    pod_status,
    ports,
    quota_usage,
    ready_containers,
    restarts,
    scale_target,
    selector,
)
from .kinds import Kind
from .objects import Object, get, name_of


@dataclass(frozen=True)
class Column:
    """One column; its value is a timestamp that is shown as an age where `is_age`."""

    name: str
    value: Callable[[Object], Any]
    type: str = "string"
    priority: int = 0
    """Above 0: shown in wide output only."""
    is_age: bool = False

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": "",
            "priority": self.priority,
        }


def _path(*path: str, default: Any = "") -> Callable[[Object], Any]:
    return lambda value: get(value, *path, default=default)


def _count(*path: str) -> Callable[[Object], Any]:
    return lambda value: len(get(value, *path, default={}))


def _number(name: str, *path: str, priority: int = 0) -> Column:
    return Column(name, _path(*path, default=0), "integer", priority)


NAME = Column("Name", name_of)
CREATED = Column("Created At", _path("metadata", "creationTimestamp"))
AGE = Column("Age", _path("metadata", "creationTimestamp"), is_age=True)


def _ready(done: tuple[str, ...], wanted: tuple[str, ...]) -> Column:
    return Column("Ready", lambda value: f"{get(value, *done, default=0)}/{get(value, *wanted, default=0)}")


_WORKLOAD = [
    Column("Containers", lambda value: ",".join(each["name"] for each in containers(value)), priority=1),
    Column("Images", lambda value: ",".join(each.get("image", "") for each in containers(value)), priority=1),
    Column("Selector", selector, priority=1),
]


_COLUMNS: dict[str, list[Column]] = {
    "pods": [
        NAME,
        Column("Ready", ready_containers),
        Column("Status", pod_status),
        Column("Restarts", restarts),
        AGE,
        Column("IP", _path("status", "podIP", default="<none>"), priority=1),
        Column("Node", _path("spec", "nodeName", default="<none>"), priority=1),
        Column("Nominated Node", _path("status", "nominatedNodeName", default="<none>"), priority=1),
        Column("Readiness Gates", lambda _: "<none>", priority=1),
    ],
    "deployments.apps": [
        NAME,
        _ready(("status", "readyReplicas"), ("spec", "replicas")),
        _number("Up-to-date", "status", "updatedReplicas"),
        _number("Available", "status", "availableReplicas"),
        AGE,
        *_WORKLOAD,
    ],
    "replicasets.apps": [
        NAME,
        _number("Desired", "spec", "replicas"),
        _number("Current", "status", "replicas"),
        _number("Ready", "status", "readyReplicas"),
        AGE,
        *_WORKLOAD,
    ],
    "statefulsets.apps": [NAME, _ready(("status", "readyReplicas"), ("spec", "replicas")), AGE, *_WORKLOAD[:2]],
    "daemonsets.apps": [
        NAME,
        _number("Desired", "status", "desiredNumberScheduled"),
        _number("Current", "status", "currentNumberScheduled"),
        _number("Ready", "status", "numberReady"),
        _number("Up-to-date", "status", "updatedNumberScheduled"),
        _number("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda _: "<none>"),
        AGE,
        *_WORKLOAD,
    ],
    "jobs.batch": [
        NAME,
        Column("Status", job_state),
        Column("Completions", _ready(("status", "succeeded"), ("spec", "completions")).value),
        Column("Duration", job_duration),
        AGE,
    ],
    "cronjobs.batch": [
        NAME,
        Column("Schedule", _path("spec", "schedule")),
        Column("Timezone", _path("spec", "timeZone", default="<none>")),
        Column("Suspend", lambda value: str(get(value, "spec", "suspend", default=False))),
        _number("Active", "status", "active"),
        Column("Last Schedule", _path("status", "lastScheduleTime"), is_age=True),
        AGE,
    ],
    "namespaces": [NAME, Column("Status", _path("status", "phase")), AGE],
    "services": [
        NAME,
        Column("Type", _path("spec", "type")),
        Column("Cluster-IP", _path("spec", "clusterIP", default="<none>")),
        Column("External-IP", external_addresses),
        Column("Port(s)", ports),
        AGE,
        Column("Selector", selector, priority=1),
    ],
    "events": [
        Column("Last Seen", last_seen, is_age=True),
        Column("Type", _path("type")),
        Column("Reason", _path("reason")),
        Column("Object", involved_object),
        Column("Subobject", _path("involvedObject", "fieldPath"), priority=1),
        Column("Source", _path("source", "component"), priority=1),
        Column("Message", _path("message")),
        Column("First Seen", _path("firstTimestamp"), priority=1, is_age=True),
        _number("Count", "count", priority=1),
        Column("Name", name_of, priority=1),
    ],
    "nodes": [
        NAME,
        Column("Status", node_status),
        Column("Roles", node_roles),
        AGE,
        Column("Version", _path("status", "nodeInfo", "kubeletVersion")),
    ],
    "configmaps": [NAME, Column("Data", _count("data"), "integer"), AGE],
    "secrets": [NAME, Column("Type", _path("type")), Column("Data", _count("data"), "integer"), AGE],
    "serviceaccounts": [NAME, Column("Secrets", _count("secrets"), "integer"), AGE],
    "resourcequotas": [NAME, Column("Request", quota_usage("")), Column("Limit", quota_usage("limits.")), AGE],
    "roles.rbac.authorization.k8s.io": [NAME, CREATED],
    "clusterroles.rbac.authorization.k8s.io": [NAME, CREATED],
    "rolebindings.rbac.authorization.k8s.io": [NAME, Column("Role", bound_role), AGE],
    "clusterrolebindings.rbac.authorization.k8s.io": [NAME, Column("Role", bound_role), AGE],
    "persistentvolumeclaims": [
        NAME,
        Column("Status", _path("status", "phase")),
        Column("Volume", _path("spec", "volumeName")),
        Column("Capacity", _path("status", "capacity", "storage")),
        Column("Access Modes", lambda value: ",".join(get(value, "spec", "accessModes", default=[]))),
        Column("StorageClass", _path("spec", "storageClassName")),
        AGE,
    ],
    "ingresses.networking.k8s.io": [
        NAME,
        Column("Class", _path("spec", "ingressClassName", default="<none>")),
        Column("Hosts", hosts),
        Column("Address", lambda _: ""),
        Column("Ports", lambda value: "80, 443" if get(value, "spec", "tls") else "80"),
        AGE,
    ],
    "horizontalpodautoscalers.autoscaling": [
        NAME,
        Column("Reference", scale_target),
        _number("MinPods", "spec", "minReplicas"),
        _number("MaxPods", "spec", "maxReplicas"),
        _number("Replicas", "status", "currentReplicas"),
        AGE,
    ],
    "customresourcedefinitions.apiextensions.k8s.io": [NAME, CREATED],
}  # fmt: skip


def columns_of(kind: Kind) -> list[Column]:
    """A kind's columns; of one without its own: a custom resource's, or name and age."""
    if kind.qualified in _COLUMNS:
        return _COLUMNS[kind.qualified]
    custom = [
        Column(
            str(each["name"]),
            json_path(str(each["jsonPath"])),
            "string" if each.get("type") == "date" else str(each.get("type", "string")),
            int(each.get("priority", 0)),
            each.get("type") == "date",
        )
        for each in kind.columns
    ]
    return [NAME, *(custom or [AGE])]
