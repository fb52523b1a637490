"""What is read of any cluster: contexts, kinds, pages, secrets, and what may be read."""

from pathlib import Path

import pytest
from support.k8s_any import AnyCluster, pages
from support.k8s_changes import Changes, changing
from support.k8s_objects import config_map, pod, secret


async def test_contexts_and_namespaces_are_listed_with_what_is_protected(anywhere: AnyCluster, k8s: Changes) -> None:
    assert [each["name"] for each in (await k8s.call("list_contexts"))["items"]] == [anywhere.context]
    (found,) = await pages(k8s, "list_namespaces", label_selector=f"flotilla-test={anywhere.namespace}")
    assert [(each["name"], each["status"]) for each in found] == [(anywhere.namespace, "Active")]
    every = {each["name"]: each for page in await pages(k8s, "list_namespaces", limit=3) for each in page}
    assert every["kube-system"]["protected"] and "protected" not in every[anywhere.namespace]


async def test_a_long_list_comes_in_pages_and_each_object_once(anywhere: AnyCluster, k8s: Changes) -> None:
    names = [f"page-{number:02}" for number in range(25)]
    items = [config_map(name, anywhere.namespace, list="long") for name in names]
    anywhere.kubectl("create", "-f", "-", stdin=items)
    which = {"kind": "ConfigMap", "namespace": anywhere.namespace, "label_selector": "list=long"}
    found = await pages(k8s, "list_resources", **which, limit=10)
    assert [len(page) for page in found] == [10, 10, 5]
    assert [row[0] for page in found for row in page] == names


async def test_a_pod_is_shown_without_the_token_that_admission_gives_it(anywhere: AnyCluster, k8s: Changes) -> None:
    what = {"name": "plain", "namespace": anywhere.namespace}
    await k8s.create(pod("plain", anywhere.namespace))
    said = await k8s.call("get_resource", kind="Pod", **what)
    assert said["spec"]["containers"][0]["image"] == "registry.example/web:1", said
    assert "volumes" not in said["spec"] and "volumeMounts" not in said["spec"]["containers"][0], said
    whole = await k8s.call("get_resource", kind="Pod", **what, fields=["*"])
    assert whole["metadata"]["uid"] and len(str(whole)) > len(str(said))


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
