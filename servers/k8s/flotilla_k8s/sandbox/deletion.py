"""Deleting objects, at once or when what holds them has ended."""

from . import admission
from .cluster import Cluster
from .objects import Object, copied, get, is_terminating, timestamp
from .status import cause, conflict, forbidden, invalid, success
from .write import Write, ends_later, existing, other_uid


def delete(cluster: Cluster, write: Write, options: Object) -> Object:
    """What a delete answers: the object while it is still ending, or a Status once it is gone.

    Raises:
        ApiError: 404; 409, it is not the object that was meant; 403, it may not be deleted.
    """
    kind, live = write.kind, existing(cluster, write)
    wanted = get(options, "preconditions", default={})
    if wanted.get("uid") not in (None, live["metadata"]["uid"]):
        raise other_uid(kind, write.name, wanted["uid"], live["metadata"]["uid"])
    if (version := wanted.get("resourceVersion")) not in (None, live["metadata"]["resourceVersion"]):
        present = live["metadata"]["resourceVersion"]
        both = f"ResourceVersion in precondition: {version}, ResourceVersion in object meta: {present}"
        raise conflict(kind, write.name, f"Precondition failed: {both}")
    policy = options.get("propagationPolicy", "Background")
    if policy not in ("Background", "Foreground", "Orphan"):
        message = f'Unsupported value: "{policy}": supported values: "Background", "Foreground", "Orphan"'
        raise invalid(kind, write.name, [cause("propagationPolicy", message, "FieldValueNotSupported")])
    if kind.qualified == "namespaces" and write.name in admission.IMMORTAL:
        raise forbidden(kind, write.name, "this namespace may not be deleted")
    finalizers = list(live["metadata"].get("finalizers", []))
    added = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(policy)
    if added and added not in finalizers:
        finalizers.append(added)
    grace = options.get("gracePeriodSeconds")
    if not finalizers and not ends_later(kind, live, grace):
        if not write.dry_run:
            cluster.storage.remove(kind.qualified, write.namespace, write.name)
        return success(kind, write.name, live["metadata"]["uid"])
    value = copied(live)
    if not is_terminating(live):
        seconds = grace if grace is not None else get(live, "spec", "terminationGracePeriodSeconds", default=0)
        value["metadata"] |= {"deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": seconds}
    if finalizers:
        value["metadata"]["finalizers"] = finalizers
    if kind.qualified == "namespaces":
        value["status"] = {**value.get("status", {}), "phase": "Terminating"}
    if value == live or write.dry_run:
        return value
    return cluster.storage.put(kind.qualified, value).object
