"""Objects that tests of the Kubernetes server are about, as they are applied."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
OURS, THEIRS = "ours", "theirs"


def namespace(name: str, **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name: str, in_namespace: str = OURS, data: Mapping[str, str] | None = None, **labels: str) -> Object:
    metadata = {"name": name, "namespace": in_namespace, "labels": {"app": "web", **labels}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data or {"colour": "green"})}


def secret(name: str, in_namespace: str = OURS, **values: str) -> Object:
    metadata = {"name": name, "namespace": in_namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def pod(name: str, in_namespace: str = OURS, annotations: Mapping[str, str] | None = None, **spec: Any) -> Object:
    containers = [{"name": "web", "image": "registry.example/web:1"}]
    metadata = {
        "name": name,
        "namespace": in_namespace,
        "labels": {"app": "web"},
        "annotations": dict(annotations or {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def deployment(name: str, in_namespace: str = OURS, replicas: int = 2, **container: Any) -> Object:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "registry.example/web:1", **container}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": in_namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def event(number: int, in_namespace: str = OURS, about: str = "Pod/web-1", message: str = "Pulled image") -> Object:
    kind, _, name = about.partition("/")
    when = f"2026-03-01T09:{number:02}:00Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{number:04}", "namespace": in_namespace},
        "involvedObject": {"kind": kind, "name": name, "namespace": in_namespace},
        "reason": "Pulled",
        "type": "Warning" if number % 2 else "Normal",
        "message": message,
        "count": number + 1,
        "firstTimestamp": when,
        "lastTimestamp": when,
    }


def running(started: str = "2026-03-01T09:00:00Z", restarts: int = 0) -> Object:
    """The status of a pod that runs, as a patch."""
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "imageID": "registry.example/web@sha256:1",
        "ready": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": started}},
    }
    return {"status": {"phase": "Running", "startTime": started, "containerStatuses": [container]}}
