"""The history of stateful sets and daemon sets: a ControllerRevision for each pod template."""

import hashlib

import msgspec

from ..objects import Object, get, labels_of, name_of, owner_reference
from .control import Control

HASH = "controller-revision-hash"
_KIND = "controllerrevisions.apps"


def keep_revision(control: Control, workload: Object) -> str:
    """Keep the workload's template as its newest revision; returns the hash of it."""
    template = workload["spec"]["template"]
    digest = hashlib.sha256(msgspec.json.encode(template, order="sorted")).hexdigest()[:10]
    kept = sorted(control.owned(workload, _KIND), key=_number)
    current = next((each for each in kept if labels_of(each).get(HASH) == digest), None)
    newest = _number(kept[-1]) if kept else 0
    if current is None:
        labels = {**get(template, "metadata", "labels", default={}), HASH: digest}
        value: Object = {
            "metadata": {
                "name": f"{name_of(workload)}-{digest}",
                "namespace": workload["metadata"]["namespace"],
                "labels": labels,
                "ownerReferences": [owner_reference(workload)],
            },
            "data": {"spec": {"template": {**template, "$patch": "replace"}}},
            "revision": newest + 1,
        }
        kept.append(control.create(_KIND, value))
    elif _number(current) < newest:  # as after an undo
        control.update(_KIND, current, revision=newest + 1)
    old = [each for each in kept if labels_of(each).get(HASH) != digest]
    for each in old[: max(0, len(old) - get(workload, "spec", "revisionHistoryLimit", default=10))]:
        control.delete(_KIND, each)
    return digest


def _number(revision: Object) -> int:
    return int(revision.get("revision", 0))
