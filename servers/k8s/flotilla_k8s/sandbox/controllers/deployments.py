"""Deployments: a replica set for each template, scaled so that enough pods are available all the time."""

import hashlib
import math
from typing import Any

import msgspec

from ..objects import (
    Object,
    condition,
    copied,
    get,
    is_terminating,
    name_of,
    owner_reference,
    seconds_of,
    timestamp,
    with_condition,
)
from .control import REVISION, Control

_HASH = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_DESIRED, _MOST = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, _DESIRED, _MOST)
_COMPONENT = "deployment-controller"


def reconcile(control: Control, deployment: Object) -> float | None:
    """One step of a rollout; returns when its deadline has to be looked at."""
    if is_terminating(deployment):
        return None
    sets = control.owned(deployment, "replicasets.apps")
    new = next((each for each in sets if _same_template(each, deployment)), None)
    if new is None and not get(deployment, "spec", "paused", default=False):
        new = _create_set(control, deployment, sets)
        sets = control.owned(deployment, "replicasets.apps")
    if new is None:
        return _report(control, deployment, sets, None)
    deployment, new = _number_revision(control, deployment, new, sets)
    old = [each for each in sets if name_of(each) != name_of(new)]
    if not get(deployment, "spec", "paused", default=False):
        _scale(control, deployment, new, old)
    _clean_up(control, deployment, old)
    sets = control.owned(deployment, "replicasets.apps")
    return _report(control, deployment, sets, next(each for each in sets if name_of(each) == name_of(new)))


def _same_template(replica_set: Object, deployment: Object) -> bool:
    template = copied(get(replica_set, "spec", "template", default={}))
    template.get("metadata", {}).get("labels", {}).pop(_HASH, None)
    return template == get(deployment, "spec", "template")


def _create_set(control: Control, deployment: Object, sets: list[Object]) -> Object:
    template = copied(get(deployment, "spec", "template", default={}))
    text = msgspec.json.encode(template, order="sorted") + str(get(deployment, "status", "collisionCount")).encode()
    digest = hashlib.sha256(text).digest()
    name_hash = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])
    template.setdefault("metadata", {}).setdefault("labels", {})[_HASH] = name_hash
    selector = copied(get(deployment, "spec", "selector", default={}))
    selector.setdefault("matchLabels", {})[_HASH] = name_hash
    replicas = get(deployment, "spec", "replicas", default=1)
    annotations = get(deployment, "metadata", "annotations", default={})
    kept = {key: each for key, each in annotations.items() if key not in _NOT_COPIED}
    value: Object = {
        "metadata": {
            "name": f"{name_of(deployment)}-{name_hash}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {**kept, _DESIRED: str(replicas), _MOST: str(replicas + _surge(deployment)),
                            REVISION: str(_last_revision(sets) + 1)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }  # fmt: skip
    created = control.create("replicasets.apps", value)
    message = f'Created new replica set "{name_of(created)}"'
    _progress(control, deployment, "NewReplicaSetCreated", message)
    return created


def _last_revision(sets: list[Object]) -> int:
    return max((int(get(each, "metadata", "annotations", REVISION, default="0")) for each in sets), default=0)


def _number_revision(control: Control, deployment: Object, new: Object, sets: list[Object]) -> tuple[Object, Object]:
    """Give the current replica set the highest revision, as after an undo, and the deployment the same."""
    deployment = control.storage.get("deployments.apps", deployment["metadata"]["namespace"], name_of(deployment)) or {}
    own = int(get(new, "metadata", "annotations", REVISION, default="0"))
    last = _last_revision(sets)
    if own < last:
        own = last + 1
        new = _annotate(control, "replicasets.apps", new, own)
    return _annotate(control, "deployments.apps", deployment, own), new


def _annotate(control: Control, qualified: str, value: Object, revision: int) -> Object:
    annotations = {**get(value, "metadata", "annotations", default={}), REVISION: str(revision)}
    return control.update(qualified, value, metadata={**value["metadata"], "annotations": annotations})


def _scale(control: Control, deployment: Object, new: Object, old: list[Object]) -> None:
    wanted = get(deployment, "spec", "replicas", default=1)
    running = [each for each in old if get(each, "spec", "replicas", default=0)]
    if get(deployment, "spec", "strategy", "type") == "Recreate":
        for each in running:
            _resize(control, deployment, each, 0)
        if not any(control.owned(each, "pods") for each in old):
            _resize(control, deployment, new, wanted)
        return
    size = get(new, "spec", "replicas", default=0)
    total = size + sum(each["spec"]["replicas"] for each in running)
    room = wanted + _surge(deployment) - total
    target = min(wanted, size + max(0, room)) if size < wanted else wanted
    _resize(control, deployment, new, target)
    least = wanted - _unavailable(deployment)
    available = get(new, "status", "availableReplicas", default=0)
    available += sum(get(each, "status", "availableReplicas", default=0) for each in running)
    spare = available - least
    for each in sorted(running, key=lambda one: get(one, "status", "availableReplicas", default=0)):
        size = each["spec"]["replicas"]
        broken = max(0, size - get(each, "status", "availableReplicas", default=0))
        fewer = min(size, broken + max(0, spare))
        spare -= fewer - min(broken, fewer)
        _resize(control, deployment, each, size - fewer)


def _resize(control: Control, deployment: Object, replica_set: Object, replicas: int) -> None:
    before = get(replica_set, "spec", "replicas", default=0)
    if before == replicas:
        return
    way = "up" if replicas > before else "down"
    spec, metadata = {**replica_set["spec"], "replicas": replicas}, {**replica_set["metadata"]}
    metadata["generation"] = metadata.get("generation", 1) + 1
    control.update("replicasets.apps", replica_set, spec=spec, metadata=metadata)
    message = f"Scaled {way} replica set {name_of(replica_set)} from {before} to {replicas}"
    control.event(deployment, "ScalingReplicaSet", message, _COMPONENT)


def _clean_up(control: Control, deployment: Object, old: list[Object]) -> None:
    """Remove replica sets beyond the history limit."""
    empty = [each for each in old if not each["spec"]["replicas"] and not get(each, "status", "replicas", default=0)]
    empty.sort(key=lambda each: int(get(each, "metadata", "annotations", REVISION, default="0")))
    for each in empty[: max(0, len(empty) - get(deployment, "spec", "revisionHistoryLimit", default=10))]:
        control.delete("replicasets.apps", each)


def _report(control: Control, deployment: Object, sets: list[Object], new: Object | None) -> float | None:
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
    least = wanted - _unavailable(deployment)
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
    counts = {**counted, "updatedReplicas": updated,
              "unavailableReplicas": max(0, max(wanted, counted["replicas"]) - counted["availableReplicas"])}  # fmt: skip
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


def _progress(control: Control, deployment: Object, reason: str, message: str) -> None:
    live = control.storage.get("deployments.apps", deployment["metadata"]["namespace"], name_of(deployment)) or {}
    conditions = _with(get(live, "status", "conditions", default=[]), "Progressing", "True", reason, message)
    control.update("deployments.apps", live, status={**get(live, "status", default={}), "conditions": conditions})


def _with(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    changed = with_condition(conditions, kind, status, reason, message)
    return [{"lastUpdateTime": each["lastTransitionTime"], **each} for each in changed]


def _surge(deployment: Object) -> int:
    return _portion(
        get(deployment, "spec", "strategy", "rollingUpdate", "maxSurge", default="25%"), deployment, up=True
    )


def _unavailable(deployment: Object) -> int:
    """How many pods may be missing during a rollout."""
    limit = get(deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable", default="25%")
    if get(deployment, "spec", "strategy", "type") == "Recreate":
        limit = 0
    allowed = _portion(limit, deployment, up=False)
    return 1 if not allowed and not _surge(deployment) else allowed


def _portion(value: Any, deployment: Object, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(str(value).rstrip("%")) * get(deployment, "spec", "replicas", default=1) / 100
    return math.ceil(share) if up else math.floor(share)
