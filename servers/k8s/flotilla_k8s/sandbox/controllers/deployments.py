"""Deployments: a replica set for each template, scaled so that enough pods are available all the time."""

import hashlib

import msgspec

from ..objects import Object, annotation, copied, get, is_terminating, name_of, owner_reference
from ..write import NAME_LETTERS
from .bounds import surge, unavailable
from .control import REVISION, Control
from .rollout_status import note_progress, report

_HASH = "pod-template-hash"
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
        return report(control, deployment, sets, None)
    deployment, new = _number_revision(control, deployment, new, sets)
    old = [each for each in sets if name_of(each) != name_of(new)]
    if not get(deployment, "spec", "paused", default=False):
        _scale(control, deployment, new, old)
    _clean_up(control, deployment, old)
    sets = control.owned(deployment, "replicasets.apps")
    return report(control, deployment, sets, next(each for each in sets if name_of(each) == name_of(new)))


def _same_template(replica_set: Object, deployment: Object) -> bool:
    template = copied(get(replica_set, "spec", "template", default={}))
    template.get("metadata", {}).get("labels", {}).pop(_HASH, None)
    return template == get(deployment, "spec", "template")


def _create_set(control: Control, deployment: Object, sets: list[Object]) -> Object:
    template = copied(get(deployment, "spec", "template", default={}))
    text = msgspec.json.encode(template, order="sorted") + str(get(deployment, "status", "collisionCount")).encode()
    digest = hashlib.sha256(text).digest()
    name_hash = "".join(NAME_LETTERS[byte % len(NAME_LETTERS)] for byte in digest[:10])
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
            "annotations": {**kept, _DESIRED: str(replicas), _MOST: str(replicas + surge(deployment)),
                            REVISION: str(_last_revision(sets) + 1)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }  # fmt: skip
    created = control.create("replicasets.apps", value)
    message = f'Created new replica set "{name_of(created)}"'
    note_progress(control, deployment, "NewReplicaSetCreated", message)
    return created


def _last_revision(sets: list[Object]) -> int:
    return max(map(_revision, sets), default=0)


def _revision(replica_set: Object) -> int:
    return int(annotation(replica_set, REVISION) or 0)


def _number_revision(control: Control, deployment: Object, new: Object, sets: list[Object]) -> tuple[Object, Object]:
    """Give the current replica set the highest revision, as after an undo, and the deployment the same."""
    deployment = control.live("deployments.apps", deployment) or {}
    own = _revision(new)
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
    room = wanted + surge(deployment) - total
    target = min(wanted, size + max(0, room)) if size < wanted else wanted
    _resize(control, deployment, new, target)
    spare = _available(new) + sum(map(_available, running)) - (wanted - unavailable(deployment))
    for each in sorted(running, key=_available):
        available = _available(each)  # the others may go
        fewer = min(available, max(0, spare))
        spare -= fewer
        _resize(control, deployment, each, available - fewer)


def _available(replica_set: Object) -> int:
    """Its available pods, without those that it is about to delete."""
    return min(
        get(replica_set, "spec", "replicas", default=0), get(replica_set, "status", "availableReplicas", default=0)
    )


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
    empty.sort(key=_revision)
    for each in empty[: max(0, len(empty) - get(deployment, "spec", "revisionHistoryLimit", default=10))]:
        control.delete("replicasets.apps", each)
