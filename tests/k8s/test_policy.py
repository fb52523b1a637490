"""What may be read, by the settings and by a mandate's scope: in lists as in calls, each refusal one record."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.k8s_client import k8s_client
from support.k8s_mandate import mandate
from support.k8s_objects import OURS, THEIRS, config_map
from support.k8s_sandbox import Sandbox

READS = ("list_namespaces", "list_resources", "get_resource", "list_events", "get_resource_usage", "check_access")


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Sandbox) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=[config_map("one"), config_map("one", THEIRS)])


def outcomes(home: Path) -> list[tuple[str, str]]:
    """Tool and outcome of each call, by the audit."""
    with closing(sqlite3.connect(home / "k8s.db")) as records:
        return list(records.execute("select tool, outcome from audit order by seq"))


async def test_only_the_allowed_namespaces_exist(cluster: Sandbox, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, cluster.kubeconfig, namespaces="our*,team-*") as k8s:
        assert [each["name"] for each in (await k8s.call("list_namespaces"))["items"]] == [OURS]
        assert (await k8s.call("list_resources", kind="ConfigMap", namespace=OURS))["items"]
        found = await k8s.call("get_resource", kind="Namespace", name=OURS)
        assert found["metadata"]["name"] == OURS
        refused = "namespace_not_allowed"
        assert await k8s.code("list_resources", kind="ConfigMap", namespace=THEIRS) == refused
        assert await k8s.code("list_resources", kind="ConfigMap") == refused
        assert await k8s.code("list_resources", kind="Node") == refused
        assert await k8s.code("list_resources", kind="Namespace") == refused
        assert await k8s.code("get_resource", kind="Namespace", name=THEIRS) == refused
        assert await k8s.code("get_resource", kind="Node", name="node-1", namespace=OURS) == refused
        assert await k8s.code("list_events") == refused
        assert await k8s.code("get_pod_logs", name="x", namespace=THEIRS) == refused
        assert await k8s.code("get_rollout", name="x", namespace=THEIRS) == refused
        assert await k8s.code("get_resource_usage") == refused
        assert await k8s.code("check_access", verb="get", kind="Pod", namespace=THEIRS) == refused
    assert [outcome for _, outcome in outcomes(tmp_path)].count(refused) == 11


async def test_a_refusal_is_the_same_for_a_namespace_that_is_not_there(cluster: Sandbox, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, cluster.kubeconfig, namespaces=OURS) as k8s:
        said = [await k8s.text("list_resources", kind="Pod", namespace=name) for name in (THEIRS, "no-such")]
    assert said[0] == said[1]


async def test_a_mandates_scope_is_a_context_and_a_namespace(cluster: Sandbox, tmp_path: Path) -> None:
    here = {"context": "sandbox", "namespace": OURS}
    async with k8s_client(tmp_path, cluster.kubeconfig, **mandate(tmp_path, here, *READS)) as k8s:
        listed = await k8s.call("list_namespaces", context="sandbox")
        assert [each["name"] for each in listed["items"]] == [OURS]
        assert (await k8s.call("list_resources", kind="ConfigMap", **here))["items"]
        for other in ({"namespace": THEIRS}, {"context": "other"}):
            arguments = {"kind": "ConfigMap", **here, **other}
            assert await k8s.code("list_resources", **arguments) == "out_of_bounds"
        assert await k8s.code("list_resources", kind="ConfigMap") == "out_of_bounds"
        # The namespace is named as it must be, and the object is not in it all the same.
        for kind, name in (("Namespace", THEIRS), ("Node", "node-1"), ("ClusterRole", "view")):
            assert await k8s.code("get_resource", kind=kind, name=name, **here) == "namespace_not_allowed"
        assert await k8s.code("list_resources", kind="Namespace", **here) == "namespace_not_allowed"
        assert (await k8s.call("get_resource", kind="Namespace", name=OURS, **here))["kind"] == "Namespace"
    refusals = [outcome for _, outcome in outcomes(tmp_path) if outcome != "ok"]
    assert refusals == ["out_of_bounds"] * 3 + ["namespace_not_allowed"] * 4


async def test_a_scope_of_one_namespace_is_no_way_to_search_it_by_labels_of_others(
    cluster: Sandbox, tmp_path: Path
) -> None:
    settings = mandate(tmp_path, {"namespace": OURS}, "list_namespaces")
    async with k8s_client(tmp_path, cluster.kubeconfig, **settings) as k8s:
        label = "kubernetes.io/metadata.name"
        found = [await k8s.call("list_namespaces", label_selector=f"{label}={name}") for name in (OURS, THEIRS)]
    assert [len(each["items"]) for each in found] == [1, 0]


async def test_what_rbac_forbids_names_the_missing_verb(cluster: Sandbox, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, cluster.kubeconfigs["viewer"]) as k8s:
        error = await k8s.call("list_resources", kind="Secret", namespace=OURS)
        assert error["code"] == "forbidden" and "verb list on secrets" in error["suggestion"]
        assert error["details"] == {"verb": "list", "resource": "secrets", "group": "", "namespace": OURS}
        access = await k8s.call("check_access", verb="delete", kind="Deployment", namespace=OURS)
        assert not access["allowed"] and "delete on deployments of the API group apps" in access["missing"]
        assert (await k8s.call("check_access", verb="list", kind="Pod", namespace=OURS))["allowed"]


async def test_access_says_what_the_policy_refuses_whatever_the_cluster_allows(
    cluster: Sandbox, tmp_path: Path
) -> None:
    async with k8s_client(tmp_path, cluster.kubeconfig, protected_namespaces="kube-*,default,theirs") as k8s:
        for namespace, refused in ((OURS, None), (THEIRS, "protected_namespace")):
            access = await k8s.call("check_access", verb="delete", kind="Pod", namespace=namespace)
            assert access["allowed"] and (access.get("refused_by_policy") or "").partition(":")[0] == (refused or "")
        access = await k8s.call("check_access", verb="patch", kind="Node")
        assert access["refused_by_policy"].startswith("protected_kind")
        listed = {each["name"]: each for each in (await k8s.call("list_namespaces"))["items"]}
    assert listed[THEIRS]["protected"] and "protected" not in listed[OURS]


async def test_the_audit_keeps_what_was_named(cluster: Sandbox, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, cluster.kubeconfig) as k8s:
        await k8s.call("get_resource", kind="ConfigMap", name="one", namespace=OURS)
    with closing(sqlite3.connect(tmp_path / "k8s.db")) as records:
        (kept,) = records.execute("select arguments from audit").fetchone()
    assert json.loads(kept) == {"kind": "ConfigMap", "name": "one", "namespace": OURS}
