"""What the server does on any cluster, a sandbox unless FLOTILLA_TEST_KUBECONFIG names another (`make test-k8s`).

Nothing here waits for pods to run: a cluster may have neither nodes nor a scheduler.
"""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.approving import approve_all
from support.k8s_any import AnyCluster, any_cluster
from support.k8s_changes import Changes, changing
from support.k8s_objects import config_map, deployment, secret

Answer = dict[str, Any]
IMAGE = "spec.template.spec.containers[web].image"


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Generator[AnyCluster]:
    with any_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def k8s(anywhere: AnyCluster, tmp_path: Path) -> AsyncGenerator[Changes]:
    async with changing(anywhere.kubeconfig, tmp_path, context=anywhere.context, request_timeout_s=20) as client:
        yield client


async def pages(k8s: Changes, tool: str, **arguments: Any) -> list[list[Any]]:
    """The items of each page of a list."""
    found: list[list[Any]] = []
    cursor: Answer = {}
    while True:
        page = await k8s.call(tool, **arguments, **cursor)
        assert "items" in page, page
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def revised(k8s: Changes, name: str, namespace: str, revision: int) -> Answer:
    """The Deployment, once its controller has seen that revision and all that was asked for."""
    found: Answer = {}

    async def is_so() -> bool:
        nonlocal found
        found = await k8s.live("Deployment", name, namespace)
        said = found["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
        seen = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
        return seen and said == str(revision)

    await k8s.until(is_so)
    return found


async def stalled(k8s: Changes, name: str, namespace: str, *causes: str) -> Answer:
    """The reason for one of these causes, once `get_rollout` has found it."""
    rollout: Answer = {}

    async def is_so() -> bool:
        nonlocal rollout
        rollout = await k8s.call("get_rollout", name=name, namespace=namespace)
        assert rollout["status"] in ("progressing", "stalled") and rollout["available"] == 0, rollout
        return any(each["cause"] in causes for each in rollout.get("reasons", []))

    await k8s.until(is_so)
    assert rollout["status"] == "stalled", rollout
    return next(each for each in rollout["reasons"] if each["cause"] in causes)


async def test_contexts_and_namespaces_are_listed_with_what_is_protected(anywhere: AnyCluster, k8s: Changes) -> None:
    assert [each["name"] for each in (await k8s.call("list_contexts"))["items"]] == [anywhere.context]
    (found,) = await pages(k8s, "list_namespaces", label_selector=f"flotilla-test={anywhere.namespace}")
    assert [(each["name"], each["status"]) for each in found] == [(anywhere.namespace, "Active")]
    every = {each["name"]: each for page in await pages(k8s, "list_namespaces", limit=3) for each in page}
    assert every["kube-system"]["protected"] and "protected" not in every[anywhere.namespace]


async def test_a_namespace_is_provisioned_once_and_updated_by_other_limits(anywhere: AnyCluster, k8s: Changes) -> None:
    name = anywhere.another()
    wanted = {"name": name, "cpu_limit": "2", "memory_limit": "1Gi", "environment": "test", "owner_group": "testers"}
    made = await k8s.approved("provision_namespace", **wanted)
    kinds = ("Namespace", "ResourceQuota", "LimitRange", "RoleBinding")
    assert [(each["kind"], each["result"]) for each in made["objects"]] == [(kind, "created") for kind in kinds], made
    before = [await k8s.live(each["kind"], each["name"], name) for each in made["objects"][2:]]
    again = await k8s.approved("provision_namespace", **{**wanted, "cpu_limit": "2000m"})
    assert again["result"] == "unchanged" and {each["result"] for each in again["objects"]} == {"unchanged"}, again
    assert [await k8s.live(each["kind"], each["name"], name) for each in made["objects"][2:]] == before
    more = await k8s.approved("provision_namespace", **{**wanted, "cpu_limit": "3"})
    assert [each["kind"] for each in more["objects"] if each["result"] == "updated"] == ["ResourceQuota"], more
    quota = await k8s.call("get_resource", kind="ResourceQuota", name="flotilla-quota", namespace=name)
    assert quota["spec"]["hard"]["limits.cpu"] == "3" and quota["spec"]["hard"]["limits.memory"] == "1Gi"
    labels = (await k8s.call("get_resource", kind="Namespace", name=name))["metadata"]["labels"]
    assert labels["environment"] == "test" and labels["app.kubernetes.io/managed-by"] == "flotilla"
    binding = await k8s.call("get_resource", kind="RoleBinding", name="flotilla-owners", namespace=name)
    assert binding["subjects"][0]["name"] == "testers" and binding["roleRef"]["name"] == "edit"


async def test_a_dry_run_shows_the_changes_and_makes_none(anywhere: AnyCluster, k8s: Changes) -> None:
    web = deployment("dry", anywhere.namespace, replicas=1)
    tried = await k8s.apply(web, dry_run=True)
    assert (tried["result"], tried["dry_run"]) == ("created", True)
    assert await k8s.live("Deployment", "dry", anywhere.namespace) == {}
    assert (await k8s.apply(web))["result"] == "created"
    web["spec"]["replicas"] = 3
    tried = await k8s.apply(web, dry_run=True)
    assert tried["result"] == "updated"
    assert tried["changes"] == [{"path": "spec.replicas", "before": 1, "after": 3}]
    assert (await k8s.live("Deployment", "dry", anywhere.namespace))["spec"]["replicas"] == 1


async def test_an_apply_says_what_it_did_and_writes_nothing_where_nothing_changes(
    anywhere: AnyCluster, k8s: Changes
) -> None:
    said = config_map("truth", anywhere.namespace, {"mode": "a"})
    assert (await k8s.apply(said))["result"] == "created"
    before = await k8s.live("ConfigMap", "truth", anywhere.namespace)
    assert (await k8s.apply(said))["result"] == "unchanged"
    assert await k8s.live("ConfigMap", "truth", anywhere.namespace) == before
    done = await k8s.apply({**said, "data": {"mode": "b"}})
    assert (done["result"], done["changes"]) == ("updated", [{"path": "data.mode", "before": "a", "after": "b"}])
    after = await k8s.live("ConfigMap", "truth", anywhere.namespace)
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    del said["data"]
    assert (await k8s.apply(said))["changes"] == [{"path": "data", "before": {"mode": "b"}}]


async def test_a_conflict_names_manager_and_field_and_force_waits_for_a_person(
    anywhere: AnyCluster, k8s: Changes
) -> None:
    theirs, ours = (config_map("shared", anywhere.namespace, {"mode": mode}) for mode in ("theirs", "ours"))
    anywhere.kubectl("create", "--field-manager=somebody", "-f", "-", stdin=theirs)
    answer = await k8s.apply(ours)
    assert answer["code"] == "field_conflict", answer
    conflict = {"manager": "somebody", "field": ".data.mode"}
    assert answer["details"]["conflicts"] == [conflict]
    arguments = {"manifest": yaml.safe_dump(ours), "force": True, "idempotency_key": "force"}
    assert (await k8s.asked("apply_manifest", **arguments))["takes"] == [conflict]
    assert (await k8s.live("ConfigMap", "shared", anywhere.namespace))["data"] == {"mode": "theirs"}
    assert await approve_all(k8s.settings) == 1
    assert (await k8s.call("apply_manifest", **arguments))["result"] == "updated"
    assert (await k8s.live("ConfigMap", "shared", anywhere.namespace))["data"] == {"mode": "ours"}


async def test_no_value_of_a_secret_is_in_any_answer(anywhere: AnyCluster, k8s: Changes) -> None:
    # Client-side apply leaves the values in an annotation, too.
    anywhere.kubectl("apply", "-f", "-", stdin=secret("login", anywhere.namespace, password="quokka-7391"))
    what = {"kind": "Secret", "name": "login", "namespace": anywhere.namespace}
    labelled = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "labels": {"a": "b"}}}
    told = [
        await k8s.call("get_resource", **what),
        await k8s.call("get_resource", **what, fields=["*"]),
        await k8s.call("list_resources", kind="Secret", namespace=anywhere.namespace),
        await k8s.apply(labelled, namespace=anywhere.namespace, dry_run=True),
        await k8s.apply(labelled, namespace=anywhere.namespace),
        await k8s.apply({**labelled, "type": "kubernetes.io/tls"}, namespace=anywhere.namespace, force=True),
        await k8s.asked("delete_resource", **what, idempotency_key="d"),
    ]
    assert told[0]["data"] == {"password": "[redacted]"} and told[4]["result"] == "updated", told
    assert told[5]["code"] == "invalid_object", told[5]
    assert "quokka-7391" not in str(told) and "cXVva2thLTczOTE" not in str(told)


async def test_a_deletion_waits_for_a_person_and_a_repeat_hears_the_same(anywhere: AnyCluster, k8s: Changes) -> None:
    await k8s.apply(config_map("doomed", anywhere.namespace))
    what = {"kind": "ConfigMap", "name": "doomed", "namespace": anywhere.namespace, "idempotency_key": "d"}
    live = await k8s.live("ConfigMap", "doomed", anywhere.namespace)
    assert (await k8s.asked("delete_resource", **what))["uid"] == live["metadata"]["uid"]
    assert await k8s.live("ConfigMap", "doomed", anywhere.namespace) == live
    done = await k8s.approved("delete_resource", **what)
    assert (done["result"], done["uid"]) == ("deleted", live["metadata"]["uid"])
    assert await k8s.live("ConfigMap", "doomed", anywhere.namespace) == {}
    assert await k8s.call("delete_resource", **what) == done


async def test_what_is_held_is_terminating_until_it_is_let_go(anywhere: AnyCluster, k8s: Changes) -> None:
    held = config_map("held", anywhere.namespace)
    held["metadata"]["finalizers"] = ["flotilla.dev/test"]
    await k8s.create(held)
    try:
        what = {"kind": "ConfigMap", "name": "held", "namespace": anywhere.namespace}
        done = await k8s.approved("delete_resource", **what)
        assert done["result"] == "terminating" and "flotilla.dev/test" in done["note"], done
        assert (await k8s.apply(config_map("held", anywhere.namespace)))["code"] == "being_deleted"
    finally:
        await k8s.patch("ConfigMap", "held", {"metadata": {"finalizers": None}}, anywhere.namespace)
    assert await k8s.live("ConfigMap", "held", anywhere.namespace) == {}


async def test_a_deleted_namespace_is_terminating_and_then_gone(anywhere: AnyCluster, k8s: Changes) -> None:
    name = anywhere.another()
    await k8s.approved("provision_namespace", name=name, cpu_limit="1", memory_limit="1Gi")
    done = await k8s.approved("delete_resource", kind="Namespace", name=name)
    assert done["result"] in ("terminating", "deleted"), done

    async def is_gone() -> bool:
        return not await k8s.live("Namespace", name, None)

    await k8s.until(is_gone)


async def test_a_kind_that_was_defined_just_now_is_found(anywhere: AnyCluster, k8s: Changes) -> None:
    group = f"{anywhere.namespace}.example"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    size = {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [{**version, "additionalPrinterColumns": [size]}],
    }
    name = {"name": f"widgets.{group}"}
    anywhere.made.append(f"customresourcedefinition/{name['name']}")
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": name, "spec": spec}
    anywhere.kubectl("create", "-f", "-", stdin=crd)

    async def is_served() -> bool:
        return '"widgets"' in anywhere.kubectl("get", "--raw", f"/apis/{group}/v1", check=False)

    await k8s.until(is_served)
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    assert (await k8s.apply(widget, namespace=anywhere.namespace))["result"] == "created"
    page = await k8s.call("list_resources", kind=f"widgets.{group}", namespace=anywhere.namespace)
    assert (page["columns"], page["items"]) == (["name", "size"], [["w", 3]])
    again = await k8s.apply({**widget, "spec": {"size": 4}}, namespace=anywhere.namespace)
    assert again["changes"] == [{"path": "spec.size", "before": 3, "after": 4}], again


async def test_a_deployment_is_scaled_restarted_and_taken_back(anywhere: AnyCluster, k8s: Changes) -> None:
    web = deployment("web", anywhere.namespace, replicas=1)
    here = {"namespace": anywhere.namespace}
    await k8s.apply(web)
    await revised(k8s, "web", anywhere.namespace, 1)
    scaled = await k8s.of("scale_workload", **here, replicas=2)
    assert (scaled["result"], scaled["replicas_before"], scaled["replicas"]) == ("updated", 1, 2), scaled
    restarted = await k8s.of("restart_rollout", **here, idempotency_key="r")
    template = (await revised(k8s, "web", anywhere.namespace, 2))["spec"]["template"]
    restarted_at = template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    assert restarted["result"] == "updated" and restarted["restarted_at"] == restarted_at, restarted
    assert await k8s.of("restart_rollout", **here, idempotency_key="r") == restarted
    web["spec"]["replicas"] = 2
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:2"
    assert (await k8s.apply(web))["result"] == "updated"
    await revised(k8s, "web", anywhere.namespace, 3)
    undone = await k8s.of("undo_rollout", **here)
    change = {"path": IMAGE, "before": "registry.example/web:2", "after": "registry.example/web:1"}
    assert (undone["result"], undone["revision"], undone["changes"]) == ("updated", 2, [change]), undone
    live = await revised(k8s, "web", anywhere.namespace, 4)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1"
    assert live["spec"]["replicas"] == 2, "what is no part of a revision stays"
    facts = await k8s.asked("scale_workload", kind="Deployment", name="web", **here, replicas=0, idempotency_key="0")
    assert facts["replicas_before"] == 2


async def test_a_rollout_that_its_quota_stops_says_so(anywhere: AnyCluster, k8s: Changes) -> None:
    name = anywhere.another()
    await k8s.approved("provision_namespace", name=name, cpu_limit="1", memory_limit="1Gi")
    await k8s.apply(deployment("big", name, replicas=2, resources={"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}))
    reason = await stalled(k8s, "big", name, "quota")
    assert "exceeded quota: flotilla-quota" in reason["evidence"] and "limits.cpu=2" in reason["evidence"], reason
    usage = await k8s.call("get_resource_usage", namespace=name)
    assert usage["quotas"][0]["name"] == "flotilla-quota"
    assert usage["quotas"][0]["used_of_hard"]["limits.cpu"].split()[0].startswith("0"), usage


async def test_a_rollout_that_no_node_has_room_for_is_stalled(anywhere: AnyCluster, k8s: Changes) -> None:
    huge = deployment("huge", anywhere.namespace, replicas=1, resources={"requests": {"cpu": "100000"}})
    huge["spec"]["progressDeadlineSeconds"] = 1
    await k8s.apply(huge)
    # Without a scheduler there is only the deadline to go by.
    reason = await stalled(k8s, "huge", anywhere.namespace, "scheduling", "deadline")
    assert reason["objects"][0].split("/")[0] in ("Pod", "Deployment") and reason["evidence"], reason


async def test_somebody_who_may_only_read_hears_what_is_missing(anywhere: AnyCluster, tmp_path: Path) -> None:
    if anywhere.viewer is None:
        pytest.skip("beside the kubeconfig is no viewer.kubeconfig, of somebody who may read, but no Secrets")
    here = {"namespace": anywhere.namespace}
    async with changing(anywhere.viewer, tmp_path, request_timeout_s=20) as viewer:
        assert (await viewer.call("check_access", verb="list", kind="Pod", **here))["allowed"]
        lacking = await viewer.call("check_access", verb="get", kind="Secret", **here)
        assert not lacking["allowed"] and "the verb get on secrets" in lacking["missing"], lacking
        assert "items" in await viewer.call("list_resources", kind="ConfigMap", **here)
        refused = await viewer.call("list_resources", kind="Secret", **here)
        assert refused["code"] == "forbidden", refused
        assert (refused["details"]["verb"], refused["details"]["resource"]) == ("list", "secrets")
        refused = await viewer.apply(config_map("theirs", anywhere.namespace))
        assert refused["code"] == "forbidden" and refused["details"]["resource"] == "configmaps", refused


async def test_what_cannot_be_is_refused_with_a_suggestion(anywhere: AnyCluster, k8s: Changes) -> None:
    misspelt = config_map("bad", anywhere.namespace)
    misspelt["dota"] = {"a": "b"}
    mistyped = deployment("bad", anywhere.namespace)
    mistyped["spec"]["replicas"] = "many"
    imageless = deployment("bad", anywhere.namespace)
    del imageless["spec"]["template"]["spec"]["containers"][0]["name"]
    for what, code, said in (
        ({"apiVersion": "v1", "kind": "ConfigMop", "metadata": {"name": "x"}}, "unknown_kind", "ConfigMap"),
        (config_map("x", "kube-system"), "protected_namespace", "kube-*"),
        (config_map("x", anywhere.another()), "not_found", "provision_namespace"),
        (misspelt, "invalid_object", "dota"),
        (mistyped, "invalid_object", "replicas"),
        (imageless, "invalid_object", "name"),
    ):
        answer = await k8s.apply(what)
        assert answer["code"] == code and answer["suggestion"] and said in str(answer), (what, answer)
        assert not answer["retryable"], answer


async def test_a_long_list_comes_in_pages_and_each_object_once(anywhere: AnyCluster, k8s: Changes) -> None:
    names = [f"page-{number:02}" for number in range(25)]
    items = [config_map(name, anywhere.namespace, list="long") for name in names]
    anywhere.kubectl("create", "-f", "-", stdin=items)
    which = {"kind": "ConfigMap", "namespace": anywhere.namespace, "label_selector": "list=long"}
    found = await pages(k8s, "list_resources", **which, limit=10)
    assert [len(page) for page in found] == [10, 10, 5]
    assert [row[0] for page in found for row in page] == names
