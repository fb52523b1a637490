"""What the tests apply."""

from typing import Any

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap


def deployment(namespace: str, name: str = "web", replicas: int = 2, **template: Any) -> dict[str, Any]:
    """A deployment of one container; `template` replaces parts of its pods' template, such as `annotations`."""
    container = {
        "name": name,
        "image": template.get("image", "registry.example/web:1.0"),
        **template.get("container", {}),
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": template.get("deadline", 600),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": template.get("annotations", {})},
                "spec": {"containers": [container]},
            },
        },
    }


def config_map(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def config(namespace: str, name: str, labels: dict[str, str] | None = None, **data: str) -> ConfigMap:
    """A ConfigMap as lightkube has it."""
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), data=data)


def each_of(values: list[Any] | None) -> list[Any]:
    """The elements of a list that may be missing."""
    return values or []


def typed(resource: Any, value: dict[str, Any]) -> Any:
    """An object of a lightkube class. Its own types are partly unknown to a strict check, and the tests' Any."""
    return resource.from_dict(value)
