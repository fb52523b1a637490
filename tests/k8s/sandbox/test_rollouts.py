"""The controllers: rollouts that go on, stall and recover; quotas, limits, jobs and what is owned."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from lightkube import ApiError
from lightkube.resources.apps_v1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Event, LimitRange, Pod, ResourceQuota
from lightkube.types import CascadeType

from .manifests import deployment, each_of, typed

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 10.0) -> T:
    """What `look` returns once it returns something true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def conditions(client: Any, namespace: str) -> dict[str, tuple[str, str | None]]:
    status = client.get(Deployment, "web", namespace=namespace).status
    return {each.type: (each.status, each.reason) for each in each_of(status and status.conditions)}


def warnings(client: Any, namespace: str) -> str:
    found = client.list(Event, namespace=namespace, fields={"type": "Warning"})
    return "\n".join(f"{each.involvedObject.kind} {each.reason}: {each.message}" for each in found)


@pytest.mark.parametrize(
    ("stall", "reason"),
    [
        ("image-pull", "Pod Failed: Failed to pull image"),
        ("scheduling", "Pod FailedScheduling: 0/3 nodes are available: 3 Insufficient cpu"),
        ("probe", "Pod Unhealthy: Readiness probe failed"),
        ("crash", "Pod BackOff: Back-off restarting failed container web"),
        ("quota", 'ReplicaSet FailedCreate: Error creating: pods "web-'),
    ],
)
def test_a_rollout_stalls_as_asked_and_says_why(client: Any, namespace: str, stall: str, reason: str) -> None:
    client.create(
        typed(Deployment, deployment(namespace, deadline=1, annotations={"sandbox.flotilla.dev/stall": stall}))
    )
    eventually(lambda: reason in warnings(client, namespace))
    eventually(lambda: conditions(client, namespace).get("Progressing") == ("False", "ProgressDeadlineExceeded"))
    assert conditions(client, namespace)["Available"] == ("False", "MinimumReplicasUnavailable")


def test_a_quota_keeps_pods_out_until_it_is_raised(client: Any, namespace: str) -> None:
    hard = {"spec": {"hard": {"limits.cpu": "500m"}}}
    client.create(typed(ResourceQuota, {"metadata": {"name": "q", "namespace": namespace}, **hard}))
    limited = deployment(namespace, container={"resources": {"limits": {"cpu": "500m"}}})
    client.create(typed(Deployment, limited))
    said = eventually(lambda: warnings(client, namespace))
    assert "is forbidden: exceeded quota: q, requested: limits.cpu=500m, used: limits.cpu=500m, limited: " in said
    assert eventually(lambda: conditions(client, namespace).get("ReplicaFailure")) == ("True", "FailedCreate")
    client.patch(ResourceQuota, "q", {"spec": {"hard": {"limits.cpu": "1"}}}, namespace=namespace)
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=namespace)
    eventually(lambda: "ReplicaFailure" not in conditions(client, namespace))

    def used() -> bool:
        status = client.get(ResourceQuota, "q", namespace=namespace).status
        return bool(status and status.used == {"limits.cpu": "1"})

    eventually(used)


def test_a_limit_range_fills_in_what_containers_leave_out(client: Any, namespace: str) -> None:
    limits = {"limits": [{"type": "Container", "default": {"cpu": "200m"}, "max": {"cpu": "1"}}]}
    client.create(typed(LimitRange, {"metadata": {"name": "l", "namespace": namespace}, "spec": limits}))
    pod: dict[str, Any] = {
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }
    made = client.create(typed(Pod, pod))
    assert (
        made.spec and made.spec.containers[0].resources and made.spec.containers[0].resources.limits == {"cpu": "200m"}
    )
    pod["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
    with pytest.raises(ApiError) as error:
        client.create(typed(Pod, pod))
    assert "maximum cpu usage per Container is 1, but limit is 2" in (error.value.status.message or "")


def test_a_rolling_update_never_has_too_few_pods(client: Any, namespace: str) -> None:
    client.create(typed(Deployment, deployment(namespace, replicas=4)))
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=namespace)
    client.patch(Deployment, "web", image("registry.example/web:2.0"), namespace=namespace)
    least, most = 4, 0

    def done() -> bool:
        nonlocal least, most
        value = client.get(Deployment, "web", namespace=namespace)
        assert value.status and value.metadata
        least = min(least, value.status.availableReplicas or 0)
        most = max(most, value.status.replicas or 0)
        return value.status.updatedReplicas == value.status.availableReplicas == value.status.replicas == 4

    eventually(done)
    assert least >= 3
    assert most <= 5
    sets = list(client.list(ReplicaSet, namespace=namespace))
    sizes = {each.metadata.annotations["deployment.kubernetes.io/revision"]: each.spec.replicas for each in sets}
    assert sizes == {"1": 0, "2": 4}


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


def test_what_a_deployment_owns_goes_with_it(client: Any, namespace: str) -> None:
    client.create(typed(Deployment, deployment(namespace)))
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=namespace)
    client.delete(Deployment, "web", namespace=namespace, cascade=CascadeType.FOREGROUND)
    eventually(lambda: not list(client.list(Pod, namespace=namespace)))
    eventually(lambda: not list(client.list(Deployment, namespace=namespace)))
    assert not list(client.list(ReplicaSet, namespace=namespace))


def test_jobs_stateful_sets_and_daemon_sets_run(client: Any, namespace: str) -> None:
    template: dict[str, Any] = deployment(namespace)["spec"]["template"]
    once = {"spec": {**template["spec"], "restartPolicy": "Never"}}
    client.create(typed(Job, {"metadata": {"name": "job", "namespace": namespace}, "spec": {"template": once}}))
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    sets = {**spec, "serviceName": "x", "replicas": 2}
    client.create(typed(StatefulSet, {"metadata": {"name": "db", "namespace": namespace}, "spec": sets}))
    client.create(typed(DaemonSet, {"metadata": {"name": "agent", "namespace": namespace}, "spec": spec}))
    client.wait(Job, "job", for_conditions=["Complete"], namespace=namespace)

    def counts() -> bool:
        stateful = client.get(StatefulSet, "db", namespace=namespace).status
        daemons = client.get(DaemonSet, "agent", namespace=namespace).status
        return bool(stateful and daemons and (stateful.readyReplicas, daemons.numberReady) == (2, 3))

    eventually(counts)
    names = {each.metadata.name for each in client.list(Pod, namespace=namespace) if each.metadata}
    assert {"db-0", "db-1", "agent-node-1"} <= names


def test_logs_are_the_same_each_time_and_bounded_as_asked(client: Any, namespace: str) -> None:
    size = {"sandbox.flotilla.dev/log-bytes": "100000000"}
    client.create(typed(Deployment, deployment(namespace, replicas=1, annotations=size)))
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=namespace)
    (pod,) = client.list(Pod, namespace=namespace)
    assert pod.metadata and pod.metadata.name
    tail = list(client.log(pod.metadata.name, namespace=namespace, tail_lines=5))
    assert len(tail) == 5
    assert [line.split("seq=")[1].split()[0] for line in tail] == [str(781_250 - 5 + index) for index in range(5)]
    assert len(list(client.log(pod.metadata.name, namespace=namespace, since=60))) in range(12_000, 14_000)
    with pytest.raises(ApiError) as error:
        list(client.log(pod.metadata.name, namespace=namespace, container="other"))
    assert error.value.status.message == f"container other is not valid for pod {pod.metadata.name}"
