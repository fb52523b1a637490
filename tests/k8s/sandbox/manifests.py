"""What the tests apply."""

from typing import Any


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
