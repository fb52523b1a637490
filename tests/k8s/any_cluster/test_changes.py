"""Objects of any cluster are provisioned, applied and deleted, truthfully and once."""

import pytest
import yaml
from flotilla_kit.effects import faults
from flotilla_kit.errors import Conflict
from support.approving import approve_all
from support.k8s_any import AnyCluster
from support.k8s_changes import Changes
from support.k8s_objects import config_map, deployment


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


async def test_what_was_made_anew_under_a_name_is_not_deleted_in_the_old_ones_place(
    anywhere: AnyCluster, k8s: Changes
) -> None:
    what = {"kind": "ConfigMap", "name": "again", "namespace": anywhere.namespace, "idempotency_key": "again"}
    await k8s.create(config_map("again", anywhere.namespace))
    first = await k8s.asked("delete_resource", **what)
    assert await approve_all(k8s.settings) == 1
    await k8s.delete("ConfigMap", "again", anywhere.namespace)
    await k8s.create(config_map("again", anywhere.namespace))
    second = await k8s.asked("delete_resource", **what)
    assert first["uid"] != second["uid"]
    kind = await k8s.cluster.kinds.find("ConfigMap")
    with pytest.raises(Conflict):
        await k8s.cluster.delete(kind, "again", anywhere.namespace, uid=first["uid"])
    done = await k8s.approved("delete_resource", **what)
    assert (done["result"], done["uid"]) == ("deleted", second["uid"])


async def test_a_write_for_a_version_that_is_gone_changes_nothing(anywhere: AnyCluster, k8s: Changes) -> None:
    await k8s.apply(config_map("raced", anywhere.namespace, {"mode": "a"}))
    kind = await k8s.cluster.kinds.find("ConfigMap")
    old = (await k8s.live("ConfigMap", "raced", anywhere.namespace))["metadata"]["resourceVersion"]
    await k8s.patch("ConfigMap", "raced", {"data": {"other": "b"}}, anywhere.namespace)
    body = config_map("raced", anywhere.namespace, {"mode": "c"})
    body["metadata"]["resourceVersion"] = old
    with pytest.raises(Conflict, match=r"changed|modified"):
        await k8s.cluster.apply(kind, "raced", body, anywhere.namespace)
    with pytest.raises(Conflict, match=r"changed|modified"):
        await k8s.cluster.patch(kind, "raced", {"metadata": {"resourceVersion": old}}, anywhere.namespace)
    live = await k8s.live("ConfigMap", "raced", anywhere.namespace)
    assert live["data"] == {"mode": "a", "other": "b"}


async def test_what_was_deleted_in_the_moment_before_the_write_is_not_made_anew(
    anywhere: AnyCluster, k8s: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await k8s.apply(config_map("short", anywhere.namespace, {"mode": "a"}))

    def point(name: str) -> None:
        if name == "before_write ConfigMap":
            anywhere.kubectl("delete", "configmap", "short", "-n", anywhere.namespace, "--ignore-not-found")

    monkeypatch.setattr(faults, "hook", point)
    answer = await k8s.apply(config_map("short", anywhere.namespace, {"mode": "b"}))
    assert answer["code"] == "changed_meanwhile" and "was deleted" in answer["message"], answer
    assert await k8s.live("ConfigMap", "short", anywhere.namespace) == {}


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
