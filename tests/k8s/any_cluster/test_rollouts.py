"""Rollouts in any cluster: changed, restarted, taken back, and why they stall."""

from typing import Any

import pytest
from support.k8s_any import AnyCluster
from support.k8s_changes import Changes
from support.k8s_objects import deployment, pod

Answer = dict[str, Any]
IMAGE = "spec.template.spec.containers[web].image"


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


async def kept(k8s: Changes, name: str, namespace: str, revision: int) -> None:
    """Wait until the controller keeps that revision."""
    kind = await k8s.cluster.kinds.find("ControllerRevision")

    async def is_so() -> bool:
        found = await k8s.cluster.list_objects(kind, namespace, labels=f"app={name}")
        return revision in [each["revision"] for each in found["items"]]

    await k8s.until(is_so)


def workload(kind: str, name: str, namespace: str, image: str) -> Answer:
    """A StatefulSet or a DaemonSet."""
    said = deployment(name, namespace, replicas=1, image=image)
    spec = {**said["spec"], **({"serviceName": name} if kind == "StatefulSet" else {})}
    if kind == "DaemonSet":
        del spec["replicas"]
    return {**said, "kind": kind, "spec": spec}


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


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_what_keeps_its_history_in_controller_revisions_is_taken_back(
    anywhere: AnyCluster, k8s: Changes, kind: str
) -> None:
    name, here = kind.lower(), {"namespace": anywhere.namespace}
    for number in (1, 2, 3):
        await k8s.apply(workload(kind, name, anywhere.namespace, f"registry.example/web:{number}"))
        await kept(k8s, name, anywhere.namespace, number)
    undone = await k8s.of("undo_rollout", name, kind=kind, **here)
    change = {"path": IMAGE, "before": "registry.example/web:3", "after": "registry.example/web:2"}
    assert (undone["result"], undone["revision"], undone["revision_before"]) == ("updated", 2, 3), undone
    assert undone["changes"] == [change]
    await kept(k8s, name, anywhere.namespace, 4)  # what was revision 2 is the newest now
    named = await k8s.of("undo_rollout", name, kind=kind, revision=1, **here)
    assert [each["after"] for each in named["changes"]] == ["registry.example/web:1"], named
    live = await k8s.live(kind, name, anywhere.namespace)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1"
    restarted = await k8s.of("restart_rollout", name, kind=kind, **here)
    assert restarted["result"] == "updated", restarted


async def test_a_scale_names_the_autoscaler_that_may_change_it_again(anywhere: AnyCluster, k8s: Changes) -> None:
    here = {"namespace": anywhere.namespace}
    await k8s.apply(deployment("auto", anywhere.namespace, replicas=1))
    autoscaler = {
        "apiVersion": "autoscaling/v1" if "autoscaling/v1" in anywhere.kubectl("api-versions") else "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "auto", "namespace": anywhere.namespace},
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "auto"},
        },
    }
    anywhere.kubectl("create", "-f", "-", stdin=autoscaler)
    done = await k8s.of("scale_workload", "auto", **here, replicas=3)
    assert (done["result"], done["replicas"]) == ("updated", 3)
    assert "HorizontalPodAutoscaler auto (1 to 5 replicas)" in done["note"]


async def test_a_rollout_that_its_quota_stops_says_so(anywhere: AnyCluster, k8s: Changes) -> None:
    name = anywhere.another()
    await k8s.approved("provision_namespace", name=name, cpu_limit="1", memory_limit="1Gi")
    await k8s.apply(deployment("big", name, replicas=2, resources={"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}))
    reason = await stalled(k8s, "big", name, "quota")
    assert "exceeded quota: flotilla-quota" in reason["evidence"] and "limits.cpu=2" in reason["evidence"], reason
    usage = await k8s.call("get_resource_usage", namespace=name)
    assert usage["quotas"][0]["name"] == "flotilla-quota"
    assert usage["quotas"][0]["used_of_hard"]["limits.cpu"].split()[0].startswith("0"), usage


async def test_what_says_no_limits_where_a_quota_wants_them_hears_which(anywhere: AnyCluster, k8s: Changes) -> None:
    name = anywhere.another()
    await k8s.approved("provision_namespace", name=name, cpu_limit="1", memory_limit="1Gi")
    await k8s.delete("LimitRange", "flotilla-limits", name)

    async def is_gone() -> bool:  # also from what the API server keeps in mind of it
        answer = await k8s.apply(pod("none", name), dry_run=True)
        return "code" in answer

    await k8s.until(is_gone)
    refused = await k8s.apply(pod("none", name))
    assert refused["code"] == "invalid_object" and "must specify limits.cpu" in refused["message"], refused
    assert "under resources" in refused["suggestion"]
    await k8s.apply(deployment("silent", name, replicas=1))
    assert "must specify limits.cpu" in (await stalled(k8s, "silent", name, "quota"))["evidence"]


async def test_a_rollout_that_no_node_has_room_for_is_stalled(anywhere: AnyCluster, k8s: Changes) -> None:
    huge = deployment("huge", anywhere.namespace, replicas=1, resources={"requests": {"cpu": "100000"}})
    huge["spec"]["progressDeadlineSeconds"] = 1
    await k8s.apply(huge)
    # Without a scheduler there is only the deadline to go by.
    reason = await stalled(k8s, "huge", anywhere.namespace, "scheduling", "deadline")
    assert reason["objects"][0].split("/")[0] in ("Pod", "Deployment") and reason["evidence"], reason
