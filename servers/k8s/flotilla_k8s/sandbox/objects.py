"""Kubernetes objects as plain JSON: reading, copying, and the metadata that every object has."""

import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeGuard

Object = dict[str, Any]
SERVERS_OWN = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
               "selfLink")  # fmt: skip
"""The fields of metadata that the server alone sets, beside `resourceVersion`."""


def get(value: Any, *path: str, default: Any = None) -> Any:
    """What stands at a path of keys, or `default` where a part of it is missing or null."""
    for key in path:
        if not is_object(value):
            return default
        value = value.get(key)
    return default if value is None else value


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def members(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return value if is_object(value) else {}


def elements(value: Any) -> list[Any]:
    """A JSON list, or an empty one for anything else."""
    return value if is_list(value) else []


def copied(value: Any) -> Any:
    """A deep copy of JSON."""
    if is_object(value):
        return {key: copied(item) for key, item in value.items()}
    if is_list(value):
        return [copied(item) for item in value]
    return value


def part(value: Object, *path: str) -> Object:
    """The object at a path, created where it is missing."""
    for key in path:
        if not is_object(value.get(key)):
            value[key] = {}
        value = value[key]
    return value


def name_of(value: Object) -> str:
    return get(value, "metadata", "name", default="")


def namespace_of(value: Object) -> str:
    """Empty for what has no namespace."""
    return get(value, "metadata", "namespace", default="")


def uid_of(value: Object) -> str:
    return get(value, "metadata", "uid", default="")


def labels_of(value: Object) -> dict[str, str]:
    return get(value, "metadata", "labels", default={})


def annotation(value: Object, name: str) -> str | None:
    return get(value, "metadata", "annotations", name)


def is_terminating(value: Object) -> bool:
    return get(value, "metadata", "deletionTimestamp") is not None


def new_uid() -> str:
    return str(uuid.uuid4())


def timestamp(at: float | None = None) -> str:
    """RFC 3339 in seconds, as `metadata.creationTimestamp` has it; of now by default."""
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(stamp: str | None) -> float:
    """The Unix time of a timestamp; 0 for none."""
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0


def owner_reference(owner: Object) -> Object:
    """The reference that makes `owner` the controller of another object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(value: Object) -> Object | None:
    """The owner reference of the object's controller."""
    owners: list[Object] = get(value, "metadata", "ownerReferences", default=[])
    return next((owner for owner in owners if owner.get("controller")), None)


def condition(conditions: Iterable[Object], kind: str) -> Object | None:
    return next((each for each in conditions if each.get("type") == kind), None)


def has_condition(value: Object, kind: str) -> bool:
    """Whether a condition of the object's status is true."""
    return get(condition(get(value, "status", "conditions", default=[]), kind), "status") == "True"


def with_condition(conditions: list[Object], kind: str, status: str, reason: str, message: str = "") -> list[Object]:
    """The conditions with one set; its transition time changes with its status only."""
    now = timestamp()
    before = condition(conditions, kind)
    if before and (before["status"], before.get("reason"), before.get("message")) == (status, reason, message):
        return conditions
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    new = {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
    if before is None or "lastUpdateTime" in before:
        new["lastUpdateTime"] = now
    return [*(each for each in conditions if each.get("type") != kind), new]
