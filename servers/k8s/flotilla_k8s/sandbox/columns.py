"""The columns that a Table shows of each kind, as the real server prints it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .kinds import Kind
from .objects import Object, condition, elements, get, is_terminating, members, name_of


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
AGE = Column("Age", _path("metadata", "creationTimestamp"), is_age=True)


def _ready(done: tuple[str, ...], wanted: tuple[str, ...]) -> Column:
    return Column("Ready", lambda value: f"{get(value, *done, default=0)}/{get(value, *wanted, default=0)}")


def _containers(value: Object) -> list[Object]:
    return get(value, "spec", "template", "spec", "containers", default=[])


def _selector(value: Object) -> str:
    labels: Object = get(value, "spec", "selector", "matchLabels", default=get(value, "spec", "selector", default={}))
    return ",".join(f"{key}={each}" for key, each in sorted(labels.items())) or "<none>"


_WORKLOAD = [
    Column("Containers", lambda value: ",".join(each["name"] for each in _containers(value)), priority=1),
    Column("Images", lambda value: ",".join(each.get("image", "") for each in _containers(value)), priority=1),
    Column("Selector", _selector, priority=1),
]


def _pod_ready(pod: Object) -> str:
    states = get(pod, "status", "containerStatuses", default=[])
    return f"{sum(1 for each in states if each.get('ready'))}/{len(get(pod, 'spec', 'containers', default=[]))}"


def pod_status(pod: Object) -> str:
    """What `kubectl get pods` shows: the phase, or why a container waits or ended."""
    text = get(pod, "status", "reason") or get(pod, "status", "phase", default="Unknown")
    for each in get(pod, "status", "containerStatuses", default=[]):
        for state in ("waiting", "terminated"):
            text = get(each, "state", state, "reason", default=text)
    return "Terminating" if is_terminating(pod) else text


def _restarts(pod: Object) -> str:
    return str(sum(each.get("restartCount", 0) for each in get(pod, "status", "containerStatuses", default=[])))


def _ports(service: Object) -> str:
    shown: list[str] = []
    for each in get(service, "spec", "ports", default=[]):
        node = f":{each['nodePort']}" if "nodePort" in each else ""
        shown.append(f"{each.get('port')}{node}/{each.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _external(service: Object) -> str:
    found = get(service, "status", "loadBalancer", "ingress", default=[])
    pending = get(service, "spec", "type") == "LoadBalancer"
    return ",".join(each.get("ip", "") for each in found) or ("<pending>" if pending else "<none>")


def _quota(prefix: str) -> Callable[[Object], str]:
    def show(quota: Object) -> str:
        hard, used = get(quota, "spec", "hard", default={}), get(quota, "status", "used", default={})
        keys = [key for key in sorted(hard) if key.startswith("limits.") == (prefix == "limits.")]
        return ", ".join(f"{key}: {used.get(key, '0')}/{hard[key]}" for key in keys)

    return show


def _object(event: Object) -> str:
    involved = event.get("involvedObject", {})
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _last_seen(event: Object) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or get(event, "metadata", "creationTimestamp")


def _job_state(job: Object) -> str:
    conditions = get(job, "status", "conditions", default=[])
    for kind in ("Complete", "Failed"):
        if get(condition(conditions, kind), "status") == "True":
            return kind
    return "Running"


def _node_status(node: Object) -> str:
    ready = get(condition(get(node, "status", "conditions", default=[]), "Ready"), "status") == "True"
    return ("Ready" if ready else "NotReady") + (",SchedulingDisabled" if get(node, "spec", "unschedulable") else "")


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = get(node, "metadata", "labels", default={})
    return ",".join(key.removeprefix(prefix) for key in sorted(labels) if key.startswith(prefix)) or "<none>"


def _role(binding: Object) -> str:
    return f"{get(binding, 'roleRef', 'kind')}/{get(binding, 'roleRef', 'name')}"


_COLUMNS: dict[str, list[Column]] = {
    "pods": [
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", pod_status),
        Column("Restarts", _restarts),
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
        Column("Status", _job_state),
        Column("Completions", _ready(("status", "succeeded"), ("spec", "completions")).value),
        Column("Duration", _path("status", "startTime"), is_age=True),
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
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", _selector, priority=1),
    ],
    "events": [
        Column("Last Seen", _last_seen, is_age=True),
        Column("Type", _path("type")),
        Column("Reason", _path("reason")),
        Column("Object", _object),
        Column("Subobject", _path("involvedObject", "fieldPath"), priority=1),
        Column("Source", _path("source", "component"), priority=1),
        Column("Message", _path("message")),
        Column("First Seen", _path("firstTimestamp"), priority=1, is_age=True),
        _number("Count", "count", priority=1),
        Column("Name", name_of, priority=1),
    ],
    "nodes": [
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", _path("status", "nodeInfo", "kubeletVersion")),
    ],
    "configmaps": [NAME, Column("Data", _count("data"), "integer"), AGE],
    "secrets": [NAME, Column("Type", _path("type")), Column("Data", _count("data"), "integer"), AGE],
    "serviceaccounts": [NAME, Column("Secrets", _count("secrets"), "integer"), AGE],
    "resourcequotas": [NAME, Column("Request", _quota("")), Column("Limit", _quota("limits.")), AGE],
    "roles.rbac.authorization.k8s.io": [NAME, Column("Created At", _path("metadata", "creationTimestamp"))],
    "clusterroles.rbac.authorization.k8s.io": [NAME, Column("Created At", _path("metadata", "creationTimestamp"))],
    "rolebindings.rbac.authorization.k8s.io": [NAME, Column("Role", _role), AGE],
    "clusterrolebindings.rbac.authorization.k8s.io": [NAME, Column("Role", _role), AGE],
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
        Column("Hosts", lambda value: ",".join(each.get("host", "*") for each in get(value, "spec", "rules", default=[]))),
        Column("Address", lambda _: ""),
        Column("Ports", lambda value: "80, 443" if get(value, "spec", "tls") else "80"),
        AGE,
    ],
    "horizontalpodautoscalers.autoscaling": [
        NAME,
        Column("Reference", lambda value: "/".join(
            get(value, "spec", "scaleTargetRef", part, default="") for part in ("kind", "name"))),
        _number("MinPods", "spec", "minReplicas"),
        _number("MaxPods", "spec", "maxReplicas"),
        _number("Replicas", "status", "currentReplicas"),
        AGE,
    ],
    "customresourcedefinitions.apiextensions.k8s.io": [NAME, Column("Created At", _path("metadata", "creationTimestamp"))],
}  # fmt: skip


def columns_of(kind: Kind) -> list[Column]:
    """A kind's columns; of one without its own: a custom resource's, or name and age."""
    if kind.qualified in _COLUMNS:
        return _COLUMNS[kind.qualified]
    custom = [
        Column(
            str(each["name"]),
            _json_path(str(each["jsonPath"])),
            "string" if each.get("type") == "date" else str(each.get("type", "string")),
            int(each.get("priority", 0)),
            each.get("type") == "date",
        )
        for each in kind.columns
    ]
    return [NAME, *custom, *([] if any(each.name == "Age" for each in custom) else [AGE])]


def _json_path(path: str) -> Callable[[Object], Any]:
    """Of the JSONPath language: names and indexes."""
    parts = path.strip("{}").replace("[", ".").replace("]", "").split(".")

    def value(of: Any) -> Any:
        for part in filter(None, parts):
            found = elements(of)
            of = found[int(part)] if part.isdigit() and int(part) < len(found) else members(of).get(part)
        return of

    return value
