"""Replica sets: as many pods as they ask for."""

from ..objects import Object, get, is_terminating, name_of, with_condition
from ..status import ApiError
from .control import Control, is_active, is_ready, stall_of

_COMPONENT = "replicaset-controller"


def reconcile(control: Control, replica_set: Object) -> float | None:
    """Create or delete pods, and count them; returns when to try again what failed."""
    if is_terminating(replica_set):
        return None
    pods = [pod for pod in control.owned(replica_set, "pods") if is_active(pod)]
    wanted = get(replica_set, "spec", "replicas", default=0)
    again: float | None = control.backs_off(replica_set) if wanted > len(pods) else 0.0
    if not again:
        failure = _create(control, replica_set, wanted - len(pods))
        again = control.back_off(replica_set, bool(failure))
        _note(control, replica_set, failure)
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
        control.delete("pods", pod)
        control.event(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _COMPONENT)
    _report(control, replica_set)
    return again


def _create(control: Control, replica_set: Object, count: int) -> str:
    """Create pods; returns why that failed."""
    for _ in range(count):
        try:
            if stall_of(replica_set) == "quota" or stall_of(get(replica_set, "spec", "template")) == "quota":
                raise _over_quota(replica_set)
            pod = control.create_pod(replica_set)
        except ApiError as error:
            message = f"Error creating: {error.message}"
            control.event(replica_set, "FailedCreate", message, _COMPONENT, warning=True)
            return error.message
        control.event(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
    return ""


def _over_quota(replica_set: Object) -> ApiError:
    name = f"{name_of(replica_set)}-stall"
    why = "exceeded quota: compute, requested: limits.cpu=1, used: limits.cpu=4, limited: limits.cpu=4"
    return ApiError(403, "Forbidden", f'pods "{name}" is forbidden: {why}')


def _note(control: Control, replica_set: Object, failure: str) -> None:
    """Say in the status why no pods can be created, or nothing of it any longer."""
    live = control.live("replicasets.apps", replica_set)
    if live is None:
        return
    status = {name: each for name, each in get(live, "status", default={}).items() if name != "conditions"}
    if failure:
        known = get(live, "status", "conditions", default=[])
        status["conditions"] = with_condition(known, "ReplicaFailure", "True", "FailedCreate", failure)
    control.update("replicasets.apps", live, status={"replicas": 0, **status})


def _report(control: Control, replica_set: Object) -> None:
    live = control.live("replicasets.apps", replica_set)
    if live is None:
        return
    pods = [pod for pod in control.owned(live, "pods") if is_active(pod)]
    ready = sum(map(is_ready, pods))
    counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    status: Object = {
        "replicas": len(pods),
        **{name: count for name, count in counts.items() if count},
        "observedGeneration": live["metadata"].get("generation", 1),
    }
    if conditions := get(live, "status", "conditions"):
        status["conditions"] = conditions
    control.update("replicasets.apps", live, status=status)
