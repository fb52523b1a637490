"""Deletion that spreads: what is owned goes with its owner, before it, or stays behind."""

from ..objects import Object, get, is_terminating, name_of, uid_of
from .control import Control, Key

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


def after_removal(control: Control, qualified: str, owner: Object) -> None:
    """Delete what only a removed object owned, and all objects of a removed custom kind."""
    for key in control.dependents(uid_of(owner)):
        value = control.storage.get(*key)
        if value is None:
            continue
        owners = [each for each in value["metadata"]["ownerReferences"] if each["uid"] != uid_of(owner)]
        if owners:
            control.update(key[0], value, metadata={**value["metadata"], "ownerReferences": owners})
        elif not is_terminating(value):
            control.delete(key[0], value)
    if qualified == "customresourcedefinitions.apiextensions.k8s.io":
        for value in control.storage.objects(name_of(owner), None):
            control.remove(name_of(owner), value)
        control.cluster.kinds.remove(name_of(owner))


def finalize(control: Control, key: Key, value: Object) -> None:
    """Do what the finalizers of the API itself ask for, and take them off."""
    finalizers: list[str] = value["metadata"]["finalizers"]
    waits = False
    if _ORPHAN in finalizers:
        for dependent in control.dependents(uid_of(value)):
            child = control.storage.get(*dependent)
            if child is not None:
                owners = [each for each in child["metadata"]["ownerReferences"] if each["uid"] != uid_of(value)]
                metadata = {name: each for name, each in child["metadata"].items() if name != "ownerReferences"}
                metadata |= {"ownerReferences": owners} if owners else {}
                control.update(dependent[0], child, metadata=metadata)
    if _FOREGROUND in finalizers:
        for dependent in control.dependents(uid_of(value)):
            child = control.storage.get(*dependent)
            if child is not None and not is_terminating(child):
                control.delete(dependent[0], child)
        waits = bool(control.dependents(uid_of(value)))
    kept = [each for each in finalizers if each != _ORPHAN and (each != _FOREGROUND or waits)]
    if kept == finalizers:
        return
    metadata = {name: each for name, each in value["metadata"].items() if name != "finalizers"}
    metadata |= {"finalizers": kept} if kept else {}
    live = control.update(key[0], value, metadata=metadata)
    if not kept and not _has_more_to_do(key[0], live):
        control.remove(key[0], live)


def _has_more_to_do(qualified: str, value: Object) -> bool:
    return qualified == "namespaces" or (qualified == "pods" and get(value, "spec", "nodeName") is not None)
