"""Workloads are scaled, restarted and taken back once, and the answer says from what to what."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from support.k8s_changes import TEAM, Changes, deployment, manifest, sandbox_changes

HERE = {"kind": "Deployment", "name": "web", "namespace": TEAM}


@pytest.fixture
async def k8s(tmp_path: Path) -> AsyncGenerator[Changes]:
    async with sandbox_changes(tmp_path, request_timeout_s=5) as (_, changes):
        await changes.apply(deployment(replicas=1))
        yield changes


async def revision(k8s: Changes, number: int) -> None:
    """Wait until the controller has seen that revision."""

    async def is_so() -> bool:
        live = await k8s.live("Deployment", "web")
        return live["metadata"]["annotations"].get("deployment.kubernetes.io/revision") == str(number)

    await k8s.until(is_so)


async def test_a_scale_says_from_how_many_and_who_may_change_it_again(k8s: Changes) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": target}
    await k8s.create(manifest("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec=spec))
    done = await k8s.of("scale_workload", replicas=3)
    assert (done["result"], done["replicas_before"], done["replicas"]) == ("updated", 1, 3)
    assert "HorizontalPodAutoscaler web (1 to 5 replicas)" in done["note"]
    await k8s.patch("Deployment", "web", {"spec": {"replicas": 4}})
    assert await k8s.of("scale_workload", replicas=3, idempotency_key="key-1") == done, "the autoscaler is left alone"
    assert (await k8s.live("Deployment", "web"))["spec"]["replicas"] == 4
    assert (await k8s.of("scale_workload", replicas=4))["result"] == "unchanged"
    facts = await k8s.asked("scale_workload", **HERE, replicas=0, idempotency_key="zero")
    assert facts["replicas_before"] == 4 and facts["waits_because"] == ["it stops everything"]


async def test_what_another_object_scales_is_not_scaled(k8s: Changes) -> None:
    await revision(k8s, 1)
    kind = await k8s.cluster.kinds.find("ReplicaSet")
    (owned,) = (await k8s.cluster.list_objects(kind, TEAM))["items"]
    answer = await k8s.of("scale_workload", owned["metadata"]["name"], kind="ReplicaSet", replicas=2)
    assert answer["code"] == "controlled_by_other" and "Deployment web" in answer["suggestion"], answer
    answer = await k8s.of("scale_workload", kind="ConfigMap", replicas=2)
    assert answer["code"] == "invalid_arguments" and "Deployment" in answer["suggestion"]


async def test_a_restart_happens_once_for_each_key(k8s: Changes) -> None:
    done = await k8s.of("restart_rollout", idempotency_key="restart")
    first = (await k8s.live("Deployment", "web"))["metadata"]["generation"]
    assert await k8s.of("restart_rollout", idempotency_key="restart") == done
    assert (await k8s.live("Deployment", "web"))["metadata"]["generation"] == first
    assert (await k8s.of("restart_rollout"))["restarted_at"] > done["restarted_at"]


async def test_a_paused_rollout_is_neither_restarted_nor_taken_back(k8s: Changes) -> None:
    await k8s.patch("Deployment", "web", {"spec": {"paused": True}})
    for tool in ("restart_rollout", "undo_rollout"):
        answer = await k8s.of(tool)
        assert answer["code"] == "rollout_paused" and answer["suggestion"], answer


async def test_an_undo_goes_to_the_previous_revision_or_a_named_one_and_says_what_changes(k8s: Changes) -> None:
    answer = await k8s.of("undo_rollout")
    assert answer["code"] == "not_found", answer
    for number in (2, 3):
        await revision(k8s, number - 1)
        await k8s.apply(deployment(replicas=1, image=f"registry.example/web:{number}"))
    await revision(k8s, 3)
    done = await k8s.of("undo_rollout")
    assert (done["result"], done["revision"], done["revision_before"]) == ("updated", 2, 3)
    (change,) = done["changes"]
    assert change["path"] == "spec.template.spec.containers[web].image"
    assert (change["before"], change["after"]) == ("registry.example/web:3", "registry.example/web:2")
    await revision(k8s, 4)
    named = await k8s.of("undo_rollout", revision=1)
    assert named["revision"] == 1 and named["changes"][0]["after"] == "registry.example/web:1"
    missing = await k8s.of("undo_rollout", revision=77)
    assert missing["code"] == "not_found" and "Kept are" in missing["suggestion"]
