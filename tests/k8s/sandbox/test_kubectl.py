"""A current kubectl works against the sandbox unchanged."""

import json
import time
from typing import Any

from support.k8s_sandbox import Sandbox

from .manifests import config_map, deployment

WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.shop.example"},
    "spec": {
        "group": "shop.example",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"size": {"type": "integer", "description": "How big it is."}},
                            }
                        },
                    }
                },
            }
        ],
    },
}


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_rollout_is_applied_watched_undone_and_described(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    web = deployment(namespace)
    assert "created" in kubectl("apply", "-f", "-", stdin=web).stdout
    assert "successfully rolled out" in kubectl("rollout", "status", "-n", namespace, "deploy/web").stdout
    table = lines(kubectl("get", "-n", namespace, "deploy/web").stdout)
    assert table[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert table[1][:4] == ["web", "2/2", "2", "2"]

    kubectl("set", "image", "-n", namespace, "deploy/web", "web=registry.example/web:2.0")
    kubectl("rollout", "status", "-n", namespace, "deploy/web")
    kubectl("rollout", "undo", "-n", namespace, "deploy/web")
    said = kubectl("rollout", "status", "-n", namespace, "deploy/web").stdout
    assert "successfully rolled out" in said
    described = kubectl("describe", "-n", namespace, "deploy/web").stdout
    assert "registry.example/web:1.0" in described
    assert "deployment.kubernetes.io/revision: 3" in described
    assert "ScalingReplicaSet" in described

    logs = kubectl("logs", "-n", namespace, "deploy/web", "--tail=1", "--timestamps").stdout
    assert logs.startswith("20") and "trace=" in logs
    assert "condition met" in kubectl("wait", "-n", namespace, "deploy/web", "--for=condition=Available").stdout
    assert "ScalingReplicaSet" in kubectl("events", "-n", namespace, "--for", "deploy/web").stdout


def test_an_apply_is_shown_as_a_diff_and_changes_nothing_twice(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    kubectl("apply", "-f", "-", stdin=config_map(namespace, colour="blue", size="1"))
    changed = config_map(namespace, colour="green")
    diff = kubectl("diff", "-f", "-", stdin=changed, code=1).stdout
    assert "-  colour: blue" in diff and "+  colour: green" in diff and '-  size: "1"' in diff
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=changed).stdout
    kubectl("diff", "-f", "-", stdin=changed, code=0)


def test_a_server_side_apply_conflict_names_the_manager_and_the_field(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    kubectl("apply", "--server-side", "--field-manager=first", "-f", "-", stdin=config_map(namespace, colour="blue"))
    other = ("apply", "--server-side", "--field-manager=second", "-f", "-")
    refused = kubectl(*other, stdin=config_map(namespace, colour="red"), code=1).stderr
    assert 'Apply failed with 1 conflict: conflict with "first": .data.colour' in refused
    kubectl(*other, "--force-conflicts", stdin=config_map(namespace, colour="red"))
    shown = kubectl("get", "cm", "-n", namespace, "settings", "-o", "json", "--show-managed-fields").stdout
    managers = [each["manager"] for each in json.loads(shown)["metadata"]["managedFields"]]
    assert managers == ["second"]


def test_custom_resources_are_discovered_explained_and_printed(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    kubectl("apply", "-f", "-", stdin=WIDGETS)
    kubectl("wait", "crd/widgets.shop.example", "--for=condition=Established")
    widget = {
        "apiVersion": "shop.example/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"size": 3},
    }
    kubectl("apply", "-f", "-", stdin=widget)
    assert lines(kubectl("get", "wd", "-n", namespace).stdout)[0] == [
        "NAME",
        "SIZE",
    ]  # as the real server: an age only if asked for
    assert "How big it is." in kubectl("explain", "widget.spec.size").stdout
    widget["spec"] = {"size": "large"}
    assert "is not of type 'integer'" in kubectl("apply", "-f", "-", stdin=widget, code=1).stderr


def test_built_in_kinds_are_explained_and_unknown_fields_refused(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    assert "The deployment strategy to use" in kubectl("explain", "deployment.spec.strategy").stdout
    bad = deployment(namespace)
    bad["spec"]["replica"] = 2
    refused = kubectl("apply", "-f", "-", stdin=bad, code=1).stderr
    assert 'strict decoding error: unknown field "spec.replica"' in refused


def test_typed_commands_create_label_scale_and_ask(sandbox: Sandbox) -> None:
    kubectl, name = sandbox.kubectl, "typed"
    kubectl("create", "namespace", name)
    kubectl("create", "quota", "-n", name, "pods", "--hard=pods=3,limits.cpu=2")
    kubectl("create", "deployment", "-n", name, "web", "--image=web:1", "--replicas=0")
    kubectl("create", "secret", "generic", "-n", name, "s", "--from-literal=key=value")
    kubectl("create", "rolebinding", "-n", name, "view", "--clusterrole=view", "--user=viewer")
    kubectl("label", "ns", name, "team=a")
    kubectl("annotate", "ns", name, "owner=me")
    kubectl("scale", "-n", name, "deploy/web", "--replicas=1")
    shown = json.loads(kubectl("get", "ns", name, "-o", "json").stdout)["metadata"]
    assert shown["labels"]["team"] == "a" and shown["annotations"]["owner"] == "me"
    secret = json.loads(kubectl("get", "secret", "-n", name, "s", "-o", "json").stdout)
    assert secret["data"] == {"key": "dmFsdWU="} and secret["type"] == "Opaque"
    deployed = json.loads(kubectl("get", "deploy", "-n", name, "web", "-o", "json").stdout)
    assert deployed["spec"]["replicas"] == 1
    assert kubectl("auth", "can-i", "create", "pods", "-n", name, user="viewer", code=1).stdout == "no\n"
    assert kubectl("auth", "can-i", "get", "pods", "-n", name, user="viewer").stdout == "yes\n"
    assert "viewer" in kubectl("auth", "whoami", user="viewer").stdout
    kubectl("delete", "ns", name)
    assert "not found" in kubectl("get", "ns", name, code=1).stderr


def test_a_namespace_ends_truthfully(sandbox: Sandbox, namespace: str) -> None:
    kubectl = sandbox.kubectl
    held = config_map(namespace, colour="blue")
    held["metadata"]["finalizers"] = ["tests.flotilla.dev/held"]
    kubectl("apply", "-f", "-", stdin=held)
    kubectl("delete", "ns", namespace, "--wait=false")
    time.sleep(0.5)
    assert lines(kubectl("get", "ns", namespace).stdout)[1][:2] == [namespace, "Terminating"]
    refused = kubectl("create", "configmap", "-n", namespace, "late", code=1).stderr
    assert f"unable to create new content in namespace {namespace} because it is being terminated" in refused
    conditions = kubectl("get", "ns", namespace, "-o", "jsonpath={.status.conditions[*].message}").stdout
    assert "tests.flotilla.dev/held in 1 resource instances" in conditions
    kubectl("patch", "cm", "-n", namespace, "settings", "--type=json",
            "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')  # fmt: skip
    kubectl("wait", "--for=delete", f"ns/{namespace}", "--timeout=10s")
