"""A namespace is provisioned in one call, as often as it is asked for; what cannot be is refused with a suggestion."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from support.k8s_changes import Changes, changing, manifest, sandbox_changes
from support.k8s_sandbox import Sandbox

WANTED: dict[str, Any] = {"name": "payments", "cpu_limit": "4", "memory_limit": "8Gi"}
OBJECTS = ("Namespace", "ResourceQuota", "LimitRange", "RoleBinding")
Running = tuple[Sandbox, Changes]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncGenerator[Running]:
    async with sandbox_changes(tmp_path, request_timeout_s=3) as both:
        yield both


def results(answer: dict[str, Any]) -> dict[str, str]:
    return {each["kind"]: each["result"] for each in answer["objects"]}


async def test_one_call_makes_namespace_quota_limits_binding_and_labels(running: Running) -> None:
    _, k8s = running
    wanted = {**WANTED, "owner_group": "payments-devs", "environment": "staging", "labels": {"cost-centre": "42"}}
    done = await k8s.approved("provision_namespace", **wanted)
    assert (done["result"], results(done)) == ("created", dict.fromkeys(OBJECTS, "created"))
    labels = (await k8s.live("Namespace", "payments", None))["metadata"]["labels"]
    assert labels["environment"] == "staging" and labels["cost-centre"] == "42"
    assert labels["app.kubernetes.io/managed-by"] == "flotilla"
    quota = await k8s.live("ResourceQuota", "flotilla-quota", "payments")
    limits = {"requests.cpu": "4", "limits.cpu": "4", "requests.memory": "8Gi", "limits.memory": "8Gi"}
    assert quota["spec"]["hard"] == limits
    (container,) = (await k8s.live("LimitRange", "flotilla-limits", "payments"))["spec"]["limits"]
    assert container["default"] == {"cpu": "500m", "memory": "512Mi"}
    binding = await k8s.live("RoleBinding", "flotilla-owners", "payments")
    assert binding["roleRef"]["name"] == "edit" and binding["subjects"][0]["name"] == "payments-devs"


async def test_a_repeat_changes_nothing_and_other_limits_change_the_quota(running: Running) -> None:
    _, k8s = running
    await k8s.approved("provision_namespace", **WANTED)
    before = [
        await k8s.live("Namespace", "payments", None),
        await k8s.live("ResourceQuota", "flotilla-quota", "payments"),
    ]
    again = await k8s.approved("provision_namespace", **{**WANTED, "cpu_limit": "4000m"})
    assert again["result"] == "unchanged" and set(results(again).values()) == {"unchanged"}
    assert before == [
        await k8s.live("Namespace", "payments", None),
        await k8s.live("ResourceQuota", "flotilla-quota", "payments"),
    ]
    more = await k8s.approved("provision_namespace", **{**WANTED, "cpu_limit": "6"})
    assert more["result"] == "updated"
    assert results(more) == {"Namespace": "unchanged", "ResourceQuota": "updated", "LimitRange": "unchanged"}


async def test_of_callers_at_the_same_moment_one_is_told_to_have_made_it(running: Running) -> None:
    _, k8s = running
    for number in range(5):
        wanted = {**WANTED, "name": f"team-{number}"}
        answers = await asyncio.gather(*(k8s.approved("provision_namespace", **wanted) for _ in range(4)))
        done = [_done(answer) for answer in answers]
        assert [each.get("Namespace") for each in done].count("created") == 1, answers


def _done(answer: dict[str, Any]) -> dict[str, str]:
    """Also of one that was refused half way."""
    return results(answer if "objects" in answer else {"objects": answer.get("details", {}).get("done", [])})


async def test_small_quotas_get_small_defaults(running: Running) -> None:
    _, k8s = running
    await k8s.approved("provision_namespace", name="small", cpu_limit="200m", memory_limit="256Mi")
    (container,) = (await k8s.live("LimitRange", "flotilla-limits", "small"))["spec"]["limits"]
    assert container["default"] == {"cpu": "50m", "memory": "65536Ki"}
    assert container["defaultRequest"] == {"cpu": "50m", "memory": "65536Ki"}


@pytest.mark.parametrize("protected", ["kube-system", "kube-new", "default"])
async def test_protected_namespaces_are_refused_with_the_list(running: Running, protected: str) -> None:
    _, k8s = running
    answer = await k8s.call("provision_namespace", **{**WANTED, "name": protected}, idempotency_key="p")
    assert answer["code"] == "protected_namespace" and answer["details"]["protected"] == ["kube-*", "default"]


async def test_what_cannot_be_is_refused_and_what_was_meant_is_suggested(running: Running) -> None:
    _, k8s = running
    for given, code, suggested in (
        ({"name": "Team A"}, "invalid_name", "team-a"),
        ({"name": "ab"}, "invalid_name", "team-ab"),
        ({"name": "Zürich_Ost"}, "invalid_name", "zurich-ost"),
        ({"name": "x" * 64}, "invalid_name", "x" * 63),
        ({"cpu_limit": "2 cores"}, "invalid_quantity", "2"),
        ({"cpu_limit": "0"}, "invalid_quantity", None),
        ({"cpu_limit": "0.0001"}, "invalid_quantity", None),
        ({"memory_limit": "8 GiB"}, "invalid_quantity", "8Gi"),
        ({"memory_limit": "500m"}, "invalid_quantity", None),
        ({"memory_limit": "much"}, "invalid_quantity", None),
        ({"labels": {"a b": "c"}}, "invalid_name", None),
        ({"labels": {"environment": "production"}}, "invalid_name", None),
        ({"environment": "Prod uction"}, "invalid_name", None),
    ):
        answer = await k8s.call("provision_namespace", **{**WANTED, **given}, idempotency_key=f"no {given}"[:200])
        assert answer["code"] == code and answer["suggestion"], (given, answer)
        assert answer["details"].get("suggested") == suggested, (given, answer)
    assert await k8s.live("Namespace", "payments", None) == {}


async def test_production_waits_for_a_person_who_reads_what_changes(running: Running) -> None:
    _, k8s = running
    facts = await k8s.asked("provision_namespace", **WANTED, environment="production", idempotency_key="a")
    assert facts["waits_because"] == ["it is in production"] and facts["cpu_limit"] == "4"
    assert results(facts)["ResourceQuota"] == "created" and facts["objects"][1]["changes"]
    facts = await k8s.asked("provision_namespace", **{**WANTED, "name": "shop-prod"}, idempotency_key="b")
    assert facts["waits_because"] == ["it is in production"]
    assert await k8s.live("Namespace", "payments", None) == {}


async def test_leaving_production_waits_too(running: Running) -> None:
    """Else the label could be taken away first, and everything else done after that."""
    _, k8s = running
    labels = {"environment": "production"}
    await k8s.create(manifest("v1", "Namespace", "payments", None, metadata={"labels": labels}))
    facts = await k8s.asked("provision_namespace", **WANTED, idempotency_key="a")
    assert facts["waits_because"] == ["it is in production"]


async def test_what_others_manage_is_a_conflict_that_names_them(running: Running) -> None:
    _, k8s = running
    await k8s.approved("provision_namespace", **WANTED)
    quota = {"spec": {"hard": {"limits.cpu": "2"}}}
    await k8s.patch("ResourceQuota", "flotilla-quota", quota, "payments")
    answer = await k8s.approved("provision_namespace", **WANTED)
    assert answer["code"] == "field_conflict", answer
    assert "limits.cpu" in answer["details"]["conflicts"][0]["field"]
    assert "ResourceQuota flotilla-quota in payments" in answer["message"] and "force" not in answer["suggestion"]


@pytest.mark.parametrize("manager", ["flotilla", "kubectl"])
async def test_a_binding_to_another_role_is_to_be_deleted_first(running: Running, manager: str) -> None:
    """No role of a RoleBinding can be changed, whoever made it."""
    _, k8s = running
    await k8s.approved("provision_namespace", **WANTED)
    api, group = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "view"}
    subjects = [{"apiGroup": group, "kind": "Group", "name": "devs"}]
    other = manifest(api, "RoleBinding", "flotilla-owners", "payments", roleRef=role, subjects=subjects)
    if manager == "flotilla":
        await k8s.approved("apply_manifest", manifest=json.dumps(other))
    else:
        await k8s.create(other)
    answer = await k8s.approved("provision_namespace", **WANTED, owner_group="devs")
    assert answer["code"] in ("invalid_object", "field_conflict"), answer
    assert "RoleBinding flotilla-owners in payments" in answer["message"], answer
    assert "elete" in answer["suggestion"] and "force" not in answer["suggestion"]
    await k8s.delete("RoleBinding", "flotilla-owners", "payments")
    assert results(await k8s.approved("provision_namespace", **WANTED, owner_group="devs"))["RoleBinding"] == "created"


async def test_a_namespace_that_is_being_deleted_is_waited_for(running: Running) -> None:
    sandbox, k8s = running
    held = manifest("v1", "ConfigMap", "held", "payments", metadata={"finalizers": ["example.com/hold"]})
    await k8s.approved("provision_namespace", **WANTED)
    await k8s.create(held)
    await k8s.delete("Namespace", "payments", None)
    answer = await k8s.approved("provision_namespace", **WANTED)
    assert answer["code"] == "being_deleted" and answer["retryable"], answer
    del sandbox


async def test_a_refusal_in_the_middle_is_told_and_a_repeat_does_the_rest(running: Running) -> None:
    """The account may not bind roles: everything before the RoleBinding is done, and stays."""
    sandbox, k8s = running
    await let_provision(k8s, "namespaces", "resourcequotas", "limitranges")
    async with changing(sandbox.kubeconfigs["viewer"], k8s.settings.home / "viewer") as viewer:
        answer = await viewer.approved("provision_namespace", **WANTED, owner_group="devs")
        assert answer["code"] == "partly_provisioned" and answer["details"]["refused"] == "RoleBinding", answer
        assert [each["result"] for each in answer["details"]["done"]] == ["created"] * 3
        assert answer["details"]["cause"]["details"]["resource"] == "rolebindings"
        same = await viewer.approved("provision_namespace", **WANTED, owner_group="devs", idempotency_key="key-0")
        assert same == answer
    again = await k8s.approved("provision_namespace", **WANTED, owner_group="devs")
    assert results(again) == {**dict.fromkeys(OBJECTS[:3], "unchanged"), "RoleBinding": "created"}


async def let_provision(k8s: Changes, *resources: str) -> None:
    """The sandbox's viewers may make these."""
    rule = {"apiGroups": [""], "resources": list(resources), "verbs": ["*"]}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "viewers"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "provisioner"}
    api = "rbac.authorization.k8s.io/v1"
    await k8s.create(manifest(api, "ClusterRole", "provisioner", None, rules=[rule]))
    await k8s.create(manifest(api, "ClusterRoleBinding", "provisioner", None, roleRef=role, subjects=[group]))


async def test_lost_answers_and_errors_of_the_api_server_are_seen_through(running: Running) -> None:
    """Done, but answered with 500; turned away; not answered in time: each object is made once all the same."""
    sandbox, k8s = running
    for failure in ("lost", "internal", "throttled", "conflict", "timeout"):
        sandbox.fail(failure, times=1, method="PATCH", path="/api/v1/namespaces/*")
    done = await k8s.approved("provision_namespace", **WANTED)
    while done.get("code") == "outcome_unknown":
        await asyncio.sleep(0.2)
        done = await k8s.approved("provision_namespace", **WANTED, idempotency_key="key-0")
    assert done["result"] == "created" and set(results(done).values()) == {"created"}, done
    assert (await k8s.approved("provision_namespace", **WANTED))["result"] == "unchanged"
