"""Lists and objects: bounded, terse, page by page, custom kinds too."""

import json
from typing import Any

import pytest
from support.k8s_client import K8s
from support.k8s_objects import OURS, THEIRS, config_map, deployment, event, pod
from support.k8s_sandbox import Sandbox

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: Sandbox) -> None:
    many = [config_map(f"settings-{number:03}", number=str(number % 2)) for number in range(60)]
    elsewhere = [config_map("theirs", THEIRS)]
    cluster.kubectl("apply", "-f", "-", stdin=[*many, *elsewhere, deployment("web"), pod("single")])
    cluster.kubectl("apply", "-f", "-", stdin=[event(number) for number in range(9)])


async def test_a_list_is_rows_in_pages_and_each_object_is_in_one(k8s: K8s) -> None:
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await k8s.call(
            "list_resources", kind="ConfigMap", namespace=OURS, label_selector="app=web", limit=25, **cursor
        )
        assert len(page["items"]) <= 25 and page["columns"][0] == "name"
        seen += [row[0] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"settings-{number:03}" for number in range(60)]


async def test_a_list_says_how_many_more_there_are(k8s: K8s) -> None:
    page = await k8s.call("list_resources", kind="ConfigMap", namespace=OURS, limit=40)
    assert page["remaining"] >= 20


async def test_a_list_of_all_namespaces_says_which(k8s: K8s) -> None:
    page = await k8s.call("list_resources", kind="cm", label_selector="app=web", limit=60)
    assert page["columns"][:2] == ["namespace", "name"]
    rest = await k8s.call("list_resources", kind="cm", label_selector="app=web", limit=100, cursor=page["next_cursor"])
    assert [THEIRS, "theirs"] in [row[:2] for row in rest["items"]]


async def test_a_cursor_is_good_for_its_list_only(k8s: K8s) -> None:
    page = await k8s.call("list_resources", kind="ConfigMap", namespace=OURS, limit=1)
    other = {"kind": "ConfigMap", "namespace": THEIRS, "cursor": page["next_cursor"]}
    assert await k8s.code("list_resources", **other) == "invalid_cursor"


async def test_an_expired_cursor_says_to_start_over(k8s: K8s, cluster: Sandbox) -> None:
    page = await k8s.call("list_resources", kind="ConfigMap", namespace=OURS, limit=1)
    cluster.fail("expired", path="*configmaps")
    again = {"kind": "ConfigMap", "namespace": OURS, "cursor": page["next_cursor"]}
    assert await k8s.code("list_resources", **again) == "invalid_cursor"


@pytest.mark.parametrize("kind", ["Deployment", "deployments", "deploy", "deployments.apps", "apps/v1/Deployment"])
async def test_a_kind_has_all_of_its_names(k8s: K8s, kind: str) -> None:
    page = await k8s.call("list_resources", kind=kind, namespace=OURS)
    assert [row[0] for row in page["items"]] == ["web"]


async def test_an_unknown_kind_names_near_ones(k8s: K8s) -> None:
    error = await k8s.call("list_resources", kind="Deploiment")
    assert error["code"] == "unknown_kind" and "Deployment" in error["suggestion"]


async def test_a_kind_that_is_defined_later_is_found(
    k8s: K8s, cluster: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flotilla_k8s.cluster.kinds._ANEW_S", 0)
    assert await k8s.code("list_resources", kind="Widget", namespace=OURS) == "unknown_kind"
    cluster.kubectl("apply", "-f", "-", stdin=WIDGETS)
    widget = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": OURS}}
    cluster.kubectl("apply", "-f", "-", stdin={**widget, "spec": {"size": 3, "uid": "kept"}})
    page = await k8s.call("list_resources", kind="wd", namespace=OURS)
    assert [row[0] for row in page["items"]] == ["w"]
    found = await k8s.call("get_resource", kind="Widget", name="w", namespace=OURS)
    assert found["spec"] == {"size": 3, "uid": "kept"}


async def test_subresources_are_no_kinds(k8s: K8s) -> None:
    for kind in ("pods/exec", "pods/log", "pods/portforward", "v1/pods/exec", "serviceaccounts/token"):
        assert await k8s.code("list_resources", kind=kind, namespace=OURS) == "unknown_kind"


async def test_an_object_is_terse_and_its_fields_are_whole(k8s: K8s) -> None:
    terse = await k8s.call("get_resource", kind="Deployment", name="web", namespace=OURS)
    whole = await k8s.call("get_resource", kind="Deployment", name="web", namespace=OURS, fields=["*"])
    template = terse["spec"]["template"]["spec"]
    assert template == {"containers": [{"name": "web", "image": "registry.example/web:1"}]}
    assert "managedFields" not in json.dumps(whole) and "uid" in whole["metadata"]
    assert len(json.dumps(terse)) < 0.6 * len(json.dumps(whole))
    paths = ["spec.template.spec.containers.image", "metadata.name"]
    part = await k8s.call("get_resource", kind="Deployment", name="web", namespace=OURS, fields=paths)
    image = {"template": {"spec": {"containers": [{"image": "registry.example/web:1"}]}}}
    assert part == {"kind": "Deployment", "metadata": {"name": "web"}, "spec": image}
    nothing = await k8s.call("get_resource", kind="Deployment", name="web", namespace=OURS, fields=["specc"])
    assert nothing["code"] == "invalid_arguments" and "spec" in nothing["suggestion"]


async def test_an_object_that_is_too_large_is_cut_and_says_so(k8s: K8s, cluster: Sandbox) -> None:
    large = {f"key-{number}": "word " * 2_000 for number in range(80)}
    cluster.kubectl("create", "-f", "-", stdin=config_map("large", data=large))
    said = await k8s.text("get_resource", kind="ConfigMap", name="large", namespace=OURS)
    assert len(said.encode()) <= 16_000 and "truncated" in json.loads(said)
    part = await k8s.call("get_resource", kind="ConfigMap", name="large", namespace=OURS, fields=["data.key-7"])
    assert part["data"]["key-7"].startswith("word word")


async def test_events_come_newest_first_of_one_object_or_all(k8s: K8s) -> None:
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while cursor.get("cursor", "first") is not None:
        page = await k8s.call("list_events", namespace=OURS, kind="Pod", name="web-1", limit=2, **cursor)
        seen += [each["last_seen"] for each in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"2026-03-01T09:0{number}:00Z" for number in reversed(range(9))]
    warned = await k8s.call("list_events", namespace=OURS, name="web-1", warnings=True, since="2026-03-01T09:04:00Z")
    assert [each["last_seen"][14:16] for each in warned["items"]] == ["07", "05"]


async def test_what_is_not_there_is_said_so(k8s: K8s) -> None:
    error = await k8s.call("get_resource", kind="Deployment", name="absent", namespace=OURS)
    assert error["code"] == "not_found" and "Deployment absent in the namespace ours" in error["message"]
    assert (await k8s.call("list_resources", kind="Deployment", namespace="no-such"))["items"] == []
    assert await k8s.code("get_resource", kind="Deployment", name="web") == "invalid_arguments"


HOSTILE_NAMES = [
    "..",
    "../secrets/plain",
    "web/status",
    "web%2fstatus",
    "web?watch=1",
    "web#",
    "a\n",
    "",
    "-a",
    "a" * 254,
]
HOSTILE_SELECTORS = ["app=web&fieldSelector=x", "app=web,", "a=b;c", "app in web", "app=(web)", "=x", "app=web\n", "()"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_no_name_leads_to_another_path(k8s: K8s, name: str) -> None:
    for changed in ("name", "namespace"):
        arguments = {"kind": "Deployment", "name": "web", "namespace": OURS, changed: name}
        assert await k8s.code("get_resource", **arguments) == "invalid_arguments"


@pytest.mark.parametrize("selector", HOSTILE_SELECTORS)
async def test_no_selector_is_anything_else(k8s: K8s, selector: str) -> None:
    code = await k8s.code("list_resources", kind="ConfigMap", namespace=OURS, label_selector=selector)
    assert code == "invalid_arguments"


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("number=0", 30),
        ("number!=0,app=web", 30),
        ("number in (0, 1)", 60),
        ("!number,app", 0),
        ("number notin (0)", 30),
    ],
)
async def test_selectors_select(k8s: K8s, selector: str, count: int) -> None:
    page = await k8s.call("list_resources", kind="ConfigMap", namespace=OURS, label_selector=selector, limit=100)
    labelled = [row for row in page["items"] if row[0].startswith("settings-")]
    assert len(labelled) == count
