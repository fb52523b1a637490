"""Deletion that spreads: what is owned goes with its owner, before it, or stays behind."""

from typing import Any

from ..objects import Object, get, is_terminating, name_of, uid_of
from .control import Control, Key

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


def after_removal(control: Control, qualified: str, owner: Object) -> None:
    """Delete what only a removed object owned, and all objects of a removed custom kind."""
    for plural, value in control.dependents(owner):
        if owners := _other_owners(value, owner):
            control.update(plural, value, metadata=_with_list(value, "ownerReferences", owners))
        elif not is_terminating(value):
            control.delete(plural, value)
    if qualified == "customresourcedefinitions.apiextensions.k8s.io":
        for value in control.storage.objects(name_of(owner), None):
            control.remove(name_of(owner), value)
        control.cluster.kinds.remove(name_of(owner))


def finalize(control: Control, key: Key, value: Object) -> None:
    """Do what the finalizers of the API itself ask for, and take them off."""
    finalizers: list[str] = value["metadata"]["finalizers"]
    waits = False
    if _ORPHAN in finalizers:
        for plural, child in control.dependents(value):
            metadata = _with_list(child, "ownerReferences", _other_owners(child, value))
            control.update(plural, child, metadata=metadata)
    if _FOREGROUND in finalizers:
        for plural, child in control.dependents(value):
            if not is_terminating(child):
                control.delete(plural, child)
        waits = any(True for _ in control.dependents(value))
    kept = [each for each in finalizers if each != _ORPHAN and (each != _FOREGROUND or waits)]
    if kept == finalizers:
        return
    live = control.update(key[0], value, metadata=_with_list(value, "finalizers", kept))
    if not kept and not _has_more_to_do(key[0], live):
        control.remove(key[0], live)


def _other_owners(value: Object, owner: Object) -> list[Object]:
    return [each for each in value["metadata"]["ownerReferences"] if each["uid"] != uid_of(owner)]


def _with_list(value: Object, name: str, content: list[Any]) -> Object:
    """An object's metadata with one of its lists replaced; an empty one is left out."""
    metadata = {key: each for key, each in value["metadata"].items() if key != name}
    return {**metadata, name: content} if content else metadata


def _has_more_to_do(qualified: str, value: Object) -> bool:
    return qualified == "namespaces" or (qualified == "pods" and get(value, "spec", "nodeName") is not None)
