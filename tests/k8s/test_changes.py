"""Manifests are applied and objects deleted once, truthfully, and after a person agreed where that is called for."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.approving import approve_all
from support.k8s_changes import TEAM, Changes, config_map, deployment, manifest, sandbox_changes
from support.k8s_client import k8s_client
from support.k8s_mandate import mandate
from support.k8s_sandbox import Sandbox

Running = tuple[Sandbox, Changes]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncGenerator[Running]:
    async with sandbox_changes(tmp_path, request_timeout_s=2) as both:
        yield both


async def settled(k8s: Changes, tool: str, key: str, **arguments: Any) -> dict[str, Any]:
    """What became of a change in the end."""
    async with asyncio.timeout(20):
        while True:
            done = await k8s.call(tool, idempotency_key=key, **arguments)
            if done.get("code") not in ("outcome_unknown", "cluster_unavailable"):  # the latter of the look beforehand
                return done
            await asyncio.sleep(0.1)


async def test_an_apply_says_truthfully_what_it_did(running: Running) -> None:
    _, k8s = running
    assert (await k8s.apply(deployment()))["result"] == "created"
    before = await k8s.live("Deployment", "web")
    assert (await k8s.apply(deployment()))["result"] == "unchanged"
    after = await k8s.live("Deployment", "web")
    assert after["spec"] == before["spec"] and after["metadata"]["annotations"] == before["metadata"]["annotations"]
    done = await k8s.apply(deployment(image="registry.example/web:2"))
    change = {"before": "registry.example/web:1", "after": "registry.example/web:2"}
    assert done["result"] == "updated"
    assert done["changes"] == [{"path": "spec.template.spec.containers[web].image", **change}]


async def test_a_dry_run_answers_the_same_and_changes_nothing(running: Running) -> None:
    _, k8s = running
    assert (await k8s.apply(deployment(), dry_run=True))["result"] == "created"
    assert await k8s.live("Deployment", "web") == {}
    await k8s.apply(deployment())
    before = await k8s.live("Deployment", "web")
    tried = await k8s.apply(deployment(replicas=5), dry_run=True)
    assert (tried["result"], tried["dry_run"]) == ("updated", True)
    assert tried["changes"] == [{"path": "spec.replicas", "before": 2, "after": 5}]
    assert (await k8s.live("Deployment", "web"))["spec"] == before["spec"]


async def test_a_conflict_names_manager_and_field_and_force_waits_for_a_person(running: Running) -> None:
    _, k8s = running
    await k8s.create(config_map(mode="theirs"))
    answer = await k8s.apply(config_map(mode="ours"))
    assert answer["code"] == "field_conflict", answer
    (conflict,) = answer["details"]["conflicts"]
    assert conflict["manager"] and conflict["field"] == ".data.mode"
    text = yaml.safe_dump(config_map(mode="ours"))
    facts = await k8s.asked("apply_manifest", manifest=text, force=True, idempotency_key="f")
    assert facts["takes"] == [conflict] and facts["waits_because"] == ["it takes fields from other managers"]
    assert (await k8s.live("ConfigMap", "settings"))["data"]["mode"] == "theirs"


async def test_what_others_own_stays_when_something_else_is_applied(running: Running) -> None:
    _, k8s = running
    await k8s.apply(config_map(mode="a"))
    await k8s.patch("ConfigMap", "settings", {"data": {"theirs": "b"}})
    done = await k8s.apply(config_map(mode="c"))
    assert [each["path"] for each in done["changes"]] == ["data.mode"]
    assert (await k8s.live("ConfigMap", "settings"))["data"] == {"mode": "c", "theirs": "b"}


@pytest.mark.parametrize("failure", ["lost", "internal", "conflict", "throttled", "unavailable", "hang"])
async def test_an_apply_happens_once_whatever_the_api_server_answers(running: Running, failure: str) -> None:
    sandbox, k8s = running
    await k8s.apply(config_map(mode="a"))
    text = yaml.safe_dump(config_map(mode="b"))
    sandbox.fail(failure, times=2, method="PATCH", path="*/configmaps/*", seconds=2.5 if failure == "hang" else 1)
    done = await settled(k8s, "apply_manifest", "once", manifest=text)
    assert done["result"] == "updated", done
    live = await k8s.live("ConfigMap", "settings")
    assert live["data"]["mode"] == "b" and live["metadata"]["annotations"]["flotilla.dev/applied"].count(".") == 1


async def test_what_was_made_anew_is_not_changed_in_the_old_ones_place(running: Running) -> None:
    _, k8s = running
    await k8s.apply(config_map(mode="a"))
    first = (await k8s.live("ConfigMap", "settings"))["metadata"]["uid"]
    await k8s.delete("ConfigMap", "settings")
    assert (await k8s.apply(config_map(mode="a")))["result"] == "created"
    assert (await k8s.live("ConfigMap", "settings"))["metadata"]["uid"] != first


async def test_a_deletion_waits_and_says_what_became_of_it(running: Running) -> None:
    _, k8s = running
    await k8s.apply(config_map())
    what = {"kind": "ConfigMap", "name": "settings", "namespace": TEAM}
    facts = await k8s.asked("delete_resource", **what, idempotency_key="d")
    assert facts["uid"] == (await k8s.live("ConfigMap", "settings"))["metadata"]["uid"]
    done = await k8s.approved("delete_resource", **what, idempotency_key="d")
    assert done["result"] == "deleted" and await k8s.live("ConfigMap", "settings") == {}
    assert await k8s.call("delete_resource", **what, idempotency_key="d") == done
    assert (await k8s.call("delete_resource", **what, idempotency_key="e"))["code"] in ("not_found", "approval_used")


async def test_an_approval_is_of_the_object_that_was_there(running: Running) -> None:
    """What is made anew under its name has to be approved anew; and can be, though the first was approved and done."""
    _, k8s = running
    what = {"kind": "ConfigMap", "name": "settings", "namespace": TEAM}
    await k8s.create(config_map())
    first = await k8s.asked("delete_resource", **what, idempotency_key="d")
    assert await approve_all(k8s.settings) == 1
    await k8s.delete("ConfigMap", "settings")
    await k8s.create(config_map())
    second = await k8s.asked("delete_resource", **what, idempotency_key="d")
    assert first["uid"] != second["uid"]
    done = await k8s.approved("delete_resource", **what)
    assert done["result"] == "deleted" and done["uid"] == second["uid"]
    await k8s.create(config_map())
    assert (await k8s.approved("delete_resource", **what))["result"] == "deleted"


async def test_request_approval_knows_that_an_approval_is_of_what_is_gone(running: Running, tmp_path: Path) -> None:
    sandbox, k8s = running
    here = {"context": "sandbox", "namespace": TEAM}
    (tmp_path / "worker").mkdir()
    settings = mandate(tmp_path / "worker", here, "delete_resource", "request_approval")
    async with k8s_client(tmp_path / "worker", sandbox.kubeconfig, **settings) as worker:
        call = {"kind": "ConfigMap", "name": "settings", **here, "idempotency_key": "d"}
        asked = {"tool": "delete_resource", "arguments": call}
        await k8s.create(config_map())
        first = await worker.call("request_approval", **asked)
        assert await approve_all(worker.settings) == 1
        assert (await worker.call("request_approval", **asked))["status"] == "approved"
        await k8s.delete("ConfigMap", "settings")
        await k8s.create(config_map())
        second = await worker.call("request_approval", **asked)
        assert (first["status"], second["status"]) == ("pending", "pending")
        assert first["approval"]["facts"]["uid"] != second["approval"]["facts"]["uid"]
        assert await approve_all(worker.settings) == 1
        assert (await worker.call("delete_resource", **call))["uid"] == second["approval"]["facts"]["uid"]


async def test_what_a_finalizer_holds_is_terminating_and_not_deleted(running: Running) -> None:
    _, k8s = running
    held = manifest("v1", "ConfigMap", "held", metadata={"finalizers": ["example.com/hold"]})
    await k8s.create(held)
    what = {"kind": "ConfigMap", "name": "held", "namespace": TEAM}
    done = await k8s.approved("delete_resource", **what)
    assert done["result"] == "terminating" and "example.com/hold" in done["note"]
    again = await k8s.approved("delete_resource", **what)
    assert again["code"] == "approval_used", again
    answer = await k8s.apply(config_map("held"))
    assert answer["code"] == "being_deleted" and answer["retryable"]


async def test_the_approver_of_a_namespaces_deletion_reads_what_goes_with_it(running: Running) -> None:
    _, k8s = running
    await k8s.apply(deployment())
    facts = await k8s.asked("delete_resource", kind="Namespace", name=TEAM, idempotency_key="d")
    assert facts["holds"]["Deployment"] == 1


async def test_protected_namespaces_and_kinds_are_refused(running: Running) -> None:
    _, k8s = running
    system = yaml.safe_dump(config_map(namespace="kube-system"))
    role = yaml.safe_dump(manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "all", None, rules=[]))
    for tool, arguments, code in (
        ("apply_manifest", {"manifest": system}, "protected_namespace"),
        ("apply_manifest", {"manifest": role}, "protected_kind"),
        ("delete_resource", {"kind": "Namespace", "name": "kube-system"}, "protected_namespace"),
        ("delete_resource", {"kind": "nodes", "name": "node-1"}, "protected_kind"),
        ("delete_resource", {"kind": "ConfigMap", "name": "x", "namespace": "default"}, "protected_namespace"),
    ):
        answer = await k8s.call(tool, **arguments, idempotency_key=f"{tool} {code}")
        assert answer["code"] == code, answer


async def test_everything_in_production_waits(running: Running) -> None:
    _, k8s = running
    labels = {"environment": "production"}
    await k8s.create(manifest("v1", "Namespace", "shop", None, metadata={"labels": labels}))
    text = yaml.safe_dump(config_map(namespace="shop"))
    facts = await k8s.asked("apply_manifest", manifest=text, idempotency_key="p")
    assert facts["waits_because"] == ["it is in production"]
    assert (await k8s.apply(config_map(namespace="shop")))["result"] == "created"


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (manifest("v1", "ConfigMop", "x"), "unknown_kind"),
        (manifest("v1", "ConfigMap", "x", "nowhere"), "not_found"),
        (manifest("v1", "ConfigMap", "x", None), "invalid_arguments"),
        (manifest("v1", "Namespace", "team-b", TEAM), "invalid_manifest"),
        (manifest("apps/v1", "Deployment", "x", spec={"replicas": "many"}), "invalid_object"),
        (manifest("v1", "ConfigMap", "x", dota={"a": "b"}), "invalid_object"),
    ],
)
async def test_what_the_cluster_does_not_take_is_refused_with_a_suggestion(
    running: Running, what: dict[str, Any], code: str
) -> None:
    _, k8s = running
    answer = await k8s.apply(what)
    assert answer["code"] == code and answer["suggestion"], answer


async def test_no_change_shows_a_secret(running: Running) -> None:
    _, k8s = running
    secret = "s3cr3t-quokka"
    with_secret = deployment()
    with_secret["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "DB_PASSWORD", "value": secret}]
    await k8s.apply(deployment())
    for tried in (await k8s.apply(with_secret, dry_run=True), await k8s.apply(with_secret)):
        assert secret not in str(tried) and any("env" in each["path"] for each in tried.get("changes", [])), tried
    again = with_secret["spec"]["template"]["spec"]["containers"][0]["env"][0]
    again["value"] = f"{secret}-2"
    changed = await k8s.apply(with_secret)
    assert changed["result"] == "updated" and changed["changes"] and secret not in str(changed)
