"""Stateful sets and daemon sets, simplified: named pods one after another, and one pod a node."""

from ..objects import Object, get, is_terminating, labels_of, name_of
from ..status import ApiError
from .control import Control, is_active, is_ready
from .history import HASH, keep_revision

_RETRY_S = 2.0


def reconcile_stateful_set(control: Control, value: Object) -> float | None:
    """Pods `NAME-0`, `NAME-1`, …: each is made when those before it are ready, and renewed from the last on."""
    wanted = [f"{name_of(value)}-{index}" for index in range(get(value, "spec", "replicas", default=1))]
    return _reconcile(control, "statefulsets.apps", value, wanted, in_order=True)


def reconcile_daemon_set(control: Control, value: Object) -> float | None:
    """A pod for each node."""
    wanted = [f"{name_of(value)}-{name_of(node)}" for node in control.storage.objects("nodes")]
    return _reconcile(control, "daemonsets.apps", value, wanted, in_order=False)


def _reconcile(control: Control, qualified: str, value: Object, wanted: list[str], *, in_order: bool) -> float | None:
    if is_terminating(value):
        return None
    revision = keep_revision(control, value)
    pods = {name_of(pod): pod for pod in control.owned(value, "pods")}
    again = None
    for name in wanted:
        if name not in pods:
            try:
                control.create_pod(value, {HASH: revision}, name)
            except ApiError as error:
                component = "statefulset-controller" if in_order else "daemonset-controller"
                control.event(value, "FailedCreate", f"Error creating: {error.message}", component, warning=True)
                again = _RETRY_S
        if in_order and (name not in pods or not is_ready(pods[name])):
            break
    for name in sorted(pods.keys() - set(wanted), reverse=True)[: 1 if in_order else None]:
        if is_active(pods[name]):
            control.delete("pods", pods[name])
    stale = [pods[name] for name in wanted if name in pods and labels_of(pods[name]).get(HASH) != revision]
    if stale and all(name in pods and is_ready(pods[name]) for name in wanted):
        control.delete("pods", stale[-1])
    _report(control, qualified, value, len(wanted), revision)
    return again


def _report(control: Control, qualified: str, value: Object, wanted: int, revision: str) -> None:
    live = control.live(qualified, value)
    if live is None:
        return
    pods = [pod for pod in control.owned(live, "pods") if is_active(pod)]
    ready, updated = sum(map(is_ready, pods)), sum(labels_of(pod).get(HASH) == revision for pod in pods)
    status: Object = {"observedGeneration": live["metadata"].get("generation", 1)}
    if qualified == "daemonsets.apps":
        status |= {
            "desiredNumberScheduled": wanted,
            "currentNumberScheduled": len(pods),
            "numberReady": ready,
            "numberAvailable": ready,
            "numberMisscheduled": 0,
            "updatedNumberScheduled": updated,
        }
    else:
        name = f"{name_of(live)}-{revision}"
        done = updated == len(pods) == wanted
        status |= {
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": updated,
            "updatedReplicas": updated,
            "updateRevision": name,
            "currentRevision": name if done else get(live, "status", "currentRevision", default=name),
        }
    control.update(qualified, live, status=status)
