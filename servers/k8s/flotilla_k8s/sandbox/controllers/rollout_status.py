"""What a deployment's status says of its rollout: counts, conditions, and a deadline that passed."""

from ..objects import Object, condition, get, name_of, seconds_of, timestamp, with_condition
from .bounds import unavailable
from .control import Control


def report(control: Control, deployment: Object, sets: list[Object], new: Object | None) -> float | None:
    """Write the status; returns when the progress deadline is over."""
    status: Object = get(deployment, "status", default={})
    wanted = get(deployment, "spec", "replicas", default=1)
    counted = {
        name: sum(get(each, "status", name, default=0) for each in sets)
        for name in ("replicas", "readyReplicas", "availableReplicas")
    }
    updated = get(new, "status", "replicas", default=0)
    is_complete = new is not None and updated == wanted and counted["replicas"] == wanted
    is_complete = is_complete and counted["availableReplicas"] >= wanted
    least = wanted - unavailable(deployment)
    conditions = list(status.get("conditions", []))
    if counted["availableReplicas"] >= least:
        said = "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        said = "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    conditions = _with(conditions, "Available", *said)
    conditions, again = _progressing(deployment, status, conditions, new, counted, updated, is_complete)
    failed = condition(get(new, "status", "conditions", default=[]), "ReplicaFailure")
    conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    if failed:
        conditions = _with(conditions, "ReplicaFailure", failed["status"], failed["reason"], failed["message"])
    missing = max(0, max(wanted, counted["replicas"]) - counted["availableReplicas"])
    counts = {**counted, "updatedReplicas": updated, "unavailableReplicas": missing}
    new_status = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{name: count for name, count in counts.items() if count},
        "conditions": conditions,
    }
    control.update("deployments.apps", deployment, status=new_status)
    return again


def _progressing(
    deployment: Object,
    status: Object,
    conditions: list[Object],
    new: Object | None,
    counted: dict[str, int],
    updated: int,
    is_complete: bool,
) -> tuple[list[Object], float | None]:
    if new is None:
        return _with(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"), None
    name, before = name_of(new), condition(conditions, "Progressing")
    if is_complete:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return _with(conditions, "Progressing", "True", "NewReplicaSetAvailable", message), None
    goes_on = (
        before is None
        or get(before, "reason") == "NewReplicaSetAvailable"
        or updated > status.get("updatedReplicas", 0)
        or counted["availableReplicas"] > status.get("availableReplicas", 0)
        or counted["replicas"] - updated < status.get("replicas", 0) - status.get("updatedReplicas", 0)
    )
    if goes_on:
        message = f'ReplicaSet "{name}" is progressing.'
        others = [each for each in conditions if each["type"] != "Progressing"]
        since = get(before, "lastTransitionTime") if get(before, "status") == "True" else timestamp()
        conditions = [*others, {"type": "Progressing", "status": "True", "lastUpdateTime": timestamp(),
                                "lastTransitionTime": since, "reason": "ReplicaSetUpdated",
                                "message": message}]  # fmt: skip
        before = condition(conditions, "Progressing")
    deadline = get(deployment, "spec", "progressDeadlineSeconds", default=600)
    left = seconds_of(get(before, "lastUpdateTime")) + deadline - seconds_of(timestamp())
    if left <= 0:
        message = f'ReplicaSet "{name}" has timed out progressing.'
        return _with(conditions, "Progressing", "False", "ProgressDeadlineExceeded", message), None
    return conditions, left


def note_progress(control: Control, deployment: Object, reason: str, message: str) -> None:
    live = control.live("deployments.apps", deployment) or {}
    conditions = _with(get(live, "status", "conditions", default=[]), "Progressing", "True", reason, message)
    control.update("deployments.apps", live, status={**get(live, "status", default={}), "conditions": conditions})


def _with(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    changed = with_condition(conditions, kind, status, reason, message)
    return [{"lastUpdateTime": each["lastTransitionTime"], **each} for each in changed]
