"""The objects of a sandbox's start, as somebody would write them."""

from collections.abc import Iterator
from typing import Any

from .access.users import VIEWER
from .discovery import RELEASE
from .objects import Object, timestamp

Manifest = tuple[str, Object]
"""A qualified plural, and what is created of it."""
_RBAC = "rbac.authorization.k8s.io"
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_CHECKOUT = {"name": "checkout", "image": "registry.invalid/team-a/checkout:2.4.1"}
STALLED_CHANGES: list[tuple[str, str, str, Any]] = [
    ("deployments.apps", "team-a", "checkout", {"spec": {"template": {"spec": {"containers": [_CHECKOUT]}}}}),
    ("deployments.apps", "team-b", "reports", {"spec": {"replicas": 6}}),
]
"""What was changed last in the sample: an image that nobody can pull, and more replicas than the quota has room for."""


def bootstrap(cluster_roles: dict[str, list[Object]]) -> Iterator[Manifest]:
    """What every cluster has."""
    for name in SYSTEM_NAMESPACES:
        yield "namespaces", {"metadata": {"name": name}}
    for number in (1, 2, 3):
        yield "nodes", _node(f"node-{number}")
    for name, granted in cluster_roles.items():
        yield f"clusterroles.{_RBAC}", {"metadata": {"name": name}, "rules": granted}
    yield f"clusterrolebindings.{_RBAC}", _binding("viewers", "view", VIEWER.groups[0])


def teams() -> Iterator[Manifest]:
    """Two teams, their monitoring, and what runs the cluster."""
    yield from _system()
    yield "namespaces", {"metadata": {"name": "monitoring", "labels": {"team": "platform"}}}
    yield "secrets", _named("monitoring", "grafana-admin", stringData={"user": "admin", "password": "sandbox-only"})
    yield "configmaps", _named("monitoring", "prometheus", data={"prometheus.yml": "scrape_interval: 30s\n"})
    yield "deployments.apps", deployment("monitoring", "grafana", 1, "registry.example/grafana:12.1", port=3000)
    yield "statefulsets.apps", _stateful_set("monitoring", "prometheus", 1, "registry.example/prometheus:3.5")
    for team, environment, cpu in (("team-a", "staging", "8"), ("team-b", "production", "2")):
        yield "namespaces", {"metadata": {"name": team, "labels": {"team": team, "environment": environment}}}
        yield (
            "resourcequotas",
            _named(
                team,
                "compute",
                spec={
                    "hard": {
                        "requests.cpu": cpu,
                        "requests.memory": "16Gi",
                        "limits.cpu": cpu,
                        "limits.memory": "16Gi",
                        "pods": "30",
                    }
                },
            ),
        )
        yield (
            "limitranges",
            _named(
                team,
                "defaults",
                spec={
                    "limits": [
                        {
                            "type": "Container",
                            "default": {"cpu": "250m", "memory": "256Mi"},
                            "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
                        }
                    ]
                },
            ),
        )
        yield (
            f"rolebindings.{_RBAC}",
            {**_binding("editors", "edit", f"{team}-editors"), "metadata": {"name": "editors", "namespace": team}},
        )
    yield from _team_a()
    yield "deployments.apps", deployment("team-b", "orders", 2, "registry.example/team-b/orders:5.0.2")
    yield "services", _service("team-b", "orders")
    yield "deployments.apps", deployment("team-b", "reports", 2, "registry.example/team-b/reports:1.9.0", cpu="500m")
    yield "secrets", _named("team-b", "orders-db", stringData={"url": "postgres://orders:sandbox-only@db/orders"})


def _team_a() -> Iterator[Manifest]:
    for name, replicas, version in (("web", 3, "3.2.0"), ("api", 2, "7.1.4"), ("checkout", 2, "2.4.0")):
        yield "deployments.apps", deployment("team-a", name, replicas, f"registry.example/team-a/{name}:{version}")
        yield "services", _service("team-a", name)
    yield "configmaps", _named("team-a", "web-settings", data={"LOG_LEVEL": "info", "FEATURE_CART": "on"})
    yield "secrets", _named("team-a", "api-db", stringData={"username": "api", "password": "sandbox-only"})
    migration = _template("migrate", "registry.example/team-a/migrate:7.1.4", 0)
    migration["spec"]["restartPolicy"] = "Never"
    yield "jobs.batch", _named("team-a", "migrate-7-1-4", spec={"template": migration})
    job = {"spec": {"template": {"spec": migration["spec"]}}}
    yield "cronjobs.batch", _named("team-a", "nightly-report", spec={"schedule": "0 3 * * *", "jobTemplate": job})


def _system() -> Iterator[Manifest]:
    for name, replicas in (("coredns", 2), ("metrics-server", 1)):
        yield "deployments.apps", deployment("kube-system", name, replicas, f"registry.k8s.io/{name}:1.12")
    template = _template("kube-proxy", "registry.k8s.io/kube-proxy:1.37", 0)
    selector = {"matchLabels": template["metadata"]["labels"]}
    yield "daemonsets.apps", _named("kube-system", "kube-proxy", spec={"selector": selector, "template": template})


def deployment(namespace: str, name: str, replicas: int, image: str, *, port: int = 8080, cpu: str = "") -> Object:
    template = _template(name, image, port)
    if cpu:
        resources = {"cpu": cpu, "memory": "256Mi"}
        template["spec"]["containers"][0]["resources"] = {"limits": resources, "requests": resources}
    selector = {"matchLabels": template["metadata"]["labels"]}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return _named(namespace, name, spec=spec, labels={"app": name})


def _stateful_set(namespace: str, name: str, replicas: int, image: str) -> Object:
    spec = deployment(namespace, name, replicas, image, port=9090)["spec"]
    return _named(namespace, name, spec={**spec, "serviceName": name})


def _template(name: str, image: str, port: int) -> Object:
    container: Object = {"name": name, "image": image}
    if port:
        container["ports"] = [{"name": "http", "containerPort": port}]
        container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": "http"}}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}


def _service(namespace: str, name: str) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return _named(namespace, name, spec={"selector": {"app": name}, "ports": ports})


def _named(namespace: str, name: str, *, labels: Object | None = None, **content: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}, **content}


def _binding(name: str, role: str, group: str) -> Object:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": group}],
    }


def _node(name: str) -> Object:
    size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
             "lastHeartbeatTime": timestamp(), "lastTransitionTime": timestamp()}  # fmt: skip
    info = dict.fromkeys(("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion",
                          "machineID", "operatingSystem", "osImage", "systemUUID"), "sandbox")  # fmt: skip
    status = {"capacity": size, "allocatable": size, "conditions": [ready],
              "nodeInfo": {**info, "kubeletVersion": RELEASE}}  # fmt: skip
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": {}, "status": status}
