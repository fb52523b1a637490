"""What every server guarantees, of the Kubernetes server: over a namespace of ours, and one nobody may find out."""

import atexit
import json
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_k8s.server import SPEC
from flotilla_k8s.settings import Settings
from flotilla_kit.testing import FULL, Change, Guarantees, Read, ServerUnderTest
from flotilla_kit.testing.rules import RULES, crashes, paging
from support.k8s_effects import Effects
from support.k8s_objects import OURS, THEIRS, config_map, deployment, event, namespace, pod, running
from support.k8s_sandbox import Sandbox, k8s_sandbox

HERE = {"context": "sandbox", "namespace": OURS}
OTHER = [{"namespace": THEIRS}]


@cache
def cluster() -> tuple[Sandbox, Effects]:
    """The sandbox that all of these tests share, with two namespaces; it ends with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    sandbox = stack.enter_context(k8s_sandbox(folder))
    objects: list[dict[str, Any]] = []
    for name, word in ((OURS, "nordlys"), (THEIRS, "quillfeather")):
        objects.append(namespace(name))
        objects += [config_map(f"settings-{number}", name, {"colour": word}) for number in (1, 2)]
        objects += [deployment("web", name), pod(f"{word}-pod", name)]
        objects += [event(number, name, f"Pod/{word}-pod", f"{word} {number}") for number in range(3)]
    sandbox.kubectl("apply", "-f", "-", stdin=objects)
    for name, word in ((OURS, "nordlys"), (THEIRS, "quillfeather")):
        patch = ("--subresource=status", "--type=merge", "-p", json.dumps(running()))
        sandbox.kubectl("patch", "pod", f"{word}-pod", "-n", name, *patch)
    _age(sandbox)
    effects = Effects(sandbox)
    effects.prepare([OURS, THEIRS], provisioned=OURS)
    return sandbox, effects


def _age(sandbox: Sandbox) -> None:
    """Let the ConfigMaps and namespaces be old: pages of rows that say `3s` would differ from second to second."""
    storage = sandbox.running.cluster.storage
    for qualified in ("configmaps", "namespaces"):
        for value in list(storage.objects(qualified)):
            old = {**value["metadata"], "creationTimestamp": "2026-03-01T09:00:00Z"}
            storage.put(qualified, {**value, "metadata": old})


def given(home: Path) -> dict[str, Any]:
    """A kubeconfig with the cluster under two names."""
    said = yaml.safe_load(cluster()[0].kubeconfig.read_text())
    said["contexts"].append({**said["contexts"][0], "name": "elsewhere"})
    path = home / "kubeconfig"
    path.write_text(yaml.safe_dump(said))
    return {"kubeconfig": path, "request_timeout_s": 2}


def hasty(home: Path) -> dict[str, Any]:
    return {**given(home), "request_timeout_s": 1}


async def happened(store: object) -> int:
    """How often anything was changed, but by controllers."""
    del store
    return cluster()[1].happened


def made(number: int) -> dict[str, Any]:
    manifest = config_map(f"made-{number}", OURS, app="made")  # not in the pages: its age changes between two of them
    return {**HERE, "manifest": yaml.safe_dump(manifest)}


K8S = ServerUnderTest(
    SPEC,
    Settings,
    samples=[
        Read("list_contexts", {}),
        Read("list_namespaces", {"context": "sandbox"}, out_of_scope=[{"context": "elsewhere"}]),
        Read("list_resources", {**HERE, "kind": "ConfigMap", "label_selector": "app=web"}, out_of_scope=OTHER),
        Read("get_resource", {**HERE, "kind": "ConfigMap", "name": "settings-1"}, out_of_scope=OTHER),
        Read(
            "get_pod_logs",
            {**HERE, "name": "nordlys-pod"},
            out_of_scope=[{"namespace": THEIRS, "name": "quillfeather-pod"}],
        ),
        Read("list_events", {**HERE, "kind": "Pod", "name": "nordlys-pod"}, out_of_scope=OTHER),
        Read("get_rollout", {**HERE, "name": "web"}, out_of_scope=OTHER),
        Read("get_resource_usage", HERE, out_of_scope=OTHER),
        Read("check_access", {**HERE, "verb": "delete", "kind": "Pod"}, out_of_scope=OTHER),
        Change(
            "provision_namespace",
            lambda n: {"context": "sandbox", "name": OURS, "cpu_limit": f"{100 + n}", "memory_limit": "500Gi"},
            out_of_scope=[{"name": THEIRS}],
        ),
        Change(
            "apply_manifest",
            made,
            out_of_scope=[{"namespace": THEIRS, "manifest": yaml.safe_dump(config_map("made", THEIRS))}],
        ),
        Change(
            "delete_resource",
            lambda n: {**HERE, "kind": "ConfigMap", "name": cluster()[1].doomed(n)},
            out_of_scope=[{"namespace": THEIRS, "name": "settings-1"}],
            waits=True,
        ),
        Change(
            "scale_workload",
            lambda n: {**HERE, "kind": "ReplicaSet", "name": cluster()[1].idle(n), "replicas": 1},
            out_of_scope=[{"namespace": THEIRS, "kind": "Deployment", "name": "restarted"}],
        ),
        Change("restart_rollout", {**HERE, "kind": "Deployment", "name": "restarted"}, out_of_scope=OTHER),
        Change("undo_rollout", {**HERE, "kind": "Deployment", "name": "undone"}, out_of_scope=OTHER),
    ],
    given=given,
    state=happened,
    count=happened,
    scope=HERE,
    canaries=["quillfeather", "elsewhere"],
    snapshot=Path(__file__).parent / "tools.json",
    bytes_per_tool=530,  # fifteen tools in less than 8 kB
)


@pytest.mark.prove
class TestK8s(Guarantees, rules=[r for r in RULES if r not in paging.RULES and (FULL or r not in crashes.RULES)]):
    server = K8S


@pytest.mark.prove
class TestK8sPaging(Guarantees, rules=paging.RULES):
    """Without a scope: within one, there is a single namespace to list."""

    server = replace(K8S, scope={}, canaries=[])


@pytest.mark.prove
class TestK8sKilled(Guarantees, rules=[] if FULL else crashes.RULES[:1]):
    """In `make test` one change in place of all six, and without an approval; each kill is found out after 2 s."""

    server = replace(
        K8S,
        samples=[one for one in K8S.samples if one.tool == "apply_manifest"],
        given=hasty,
    )
