"""Creating and changing objects, as the API's verbs do it."""

from typing import Any

from . import admission, defaults, validation
from .cluster import Cluster
from .kinds import Kind
from .objects import (
    SERVERS_OWN,
    Object,
    copied,
    get,
    is_object,
    is_terminating,
    name_of,
    namespace_of,
    new_uid,
    timestamp,
)
from .patches import json_patch, merging, ownership
from .patches.ownership import Manager
from .schemas import schema_of
from .status import ApiError, already_exists, bad_request, conflict, stale, unsupported_media_type
from .write import Write, ends_later, existing, other_uid, random_suffix, scale_of

_NO_GENERATION = {"namespaces", "nodes", "services", "persistentvolumes", "persistentvolumeclaims", "resourcequotas"}
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY)


def create(cluster: Cluster, write: Write, body: Object, operation: str = "Update") -> Object:
    """A new object.

    Raises:
        ApiError: it is not valid, its namespace takes nothing, or it exists.
    """
    kind = write.kind
    value = _decoded(write, body)
    metadata: Object = value["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = f"{metadata['generateName']}{random_suffix()}"
    name = name_of(value)
    if "status" in kind.subresources:
        value.pop("status", None)
    for each in (*SERVERS_OWN, "resourceVersion"):
        metadata.pop(each, None)
    configuration = copied(value)
    defaults.fill(kind, value)
    if kind.namespaced:
        admission.check_namespace(cluster.storage, cluster.kind("namespaces"), kind, write.namespace, name)
    if kind.qualified == "pods":
        admission.apply_limits(cluster.storage, kind, write.namespace, value)
        value["status"] = {"phase": "Pending", "qosClass": _quality(value)}
    validation.check(kind, value)
    if cluster.storage.get(kind.qualified, write.namespace, name) is not None:
        raise already_exists(kind, name)
    if kind.namespaced:
        admission.check_quota(cluster.storage, kind, write.namespace, value)
    metadata = value["metadata"] = {**value["metadata"], "uid": new_uid(), "creationTimestamp": timestamp()}
    if _has_generation(kind):
        metadata["generation"] = 1
    if operation == "Apply":
        _, managers = ownership.applied(kind, {}, configuration, write.by("Apply"), write.force)
    else:
        managers = ownership.updated(kind, None, {**value, "status": {}}, write.by("Update"))
    ownership.write_managers(value, managers)
    return value if write.dry_run else cluster.storage.put(kind.qualified, value).object


def replace(cluster: Cluster, write: Write, body: Object) -> Object:
    """An object in a new state (PUT).

    Raises:
        ApiError: 404, 409 for a state that was read before another change, or it is not valid.
    """
    live = existing(cluster, write)
    if write.subresource == "scale":
        return _scaled(cluster, write, live, body)
    value = _decoded(write, body)
    if name_of(value) != write.name:
        at, on = name_of(value), write.name
        raise bad_request(f"the name of the object ({at}) does not match the name on the URL ({on})")
    return _changed(cluster, write, live, value)


def patch(cluster: Cluster, write: Write, content_type: str, body: Any) -> tuple[Object, bool]:
    """An object after a patch, and whether the patch created it.

    Raises:
        ApiError: 404, 409, 422, or 400 for a patch that cannot be read.
    """
    kind = write.kind
    stored = cluster.storage.get(kind.qualified, write.namespace, write.name)
    if content_type == APPLY:
        if stored is None and not write.subresource:
            configuration = _configuration(write, body)
            if uid := get(configuration, "metadata", "uid"):
                why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise conflict(kind, write.name, why)
            return create(cluster, write, configuration, "Apply"), True
        return _apply(cluster, write, existing(cluster, write), _configuration(write, body)), False
    live = existing(cluster, write)
    shown = scale_of(live) if write.subresource == "scale" else live
    if content_type == JSON_PATCH:
        value = json_patch.patched(shown, body)
    elif not is_object(body):
        raise bad_request("cannot unmarshal the patch into an object")
    elif content_type == MERGE_PATCH or kind.model is None or write.subresource == "scale":
        if content_type == STRATEGIC_PATCH and kind.model is None:
            raise unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY))
        value = merging.merge(shown, body)
    else:
        value = merging.merge_strategic(shown, body, schema_of(kind))
    if write.subresource == "scale":
        return _scaled(cluster, write, live, value), False
    return _changed(cluster, write, live, _decoded(write, value)), False


def _scaled(cluster: Cluster, write: Write, live: Object, scale: Object) -> Object:
    value = copied(live)
    value["spec"]["replicas"] = get(scale, "spec", "replicas", default=0)
    value["metadata"]["resourceVersion"] = get(scale, "metadata", "resourceVersion", default="")
    return scale_of(_changed(cluster, write, live, value))


def _configuration(write: Write, body: Any) -> Object:
    """What is applied, checked.

    Raises:
        ApiError: 400 or 422.
    """
    if not write.manager:
        message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        raise ApiError(422, "Invalid", message, {})
    if not is_object(body):
        raise bad_request("error decoding YAML: the patch is no object")
    if get(body, "metadata", "managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    unknown = validation.unknown_fields(copied(body), schema_of(write.kind))
    if unknown and write.validation != "Ignore":
        where = f"{write.namespace}/{write.name}" if write.namespace else f"/{write.name}"
        which = f"{write.kind.api_version}, Kind={write.kind.kind}"
        said = f".{unknown[0]}: field not declared in schema"
        raise ApiError(500, "", f"failed to create typed patch object ({where}; {which}): {said}", {})
    body = _decoded(write, {"metadata": {}, **body})
    if write.subresource != "status":
        body.pop("status", None)
    body["metadata"].setdefault("name", write.name)
    return body


def _apply(cluster: Cluster, write: Write, live: Object, configuration: Object) -> Object:
    version = get(configuration, "metadata", "resourceVersion")
    if version and version != live["metadata"]["resourceVersion"]:
        raise stale(write.kind, write.name)
    if write.kind.kind == "Secret":
        defaults.fill(write.kind, configuration)  # or stringData would be owned, which nothing keeps
    value, managers = ownership.applied(write.kind, live, configuration, write.by("Apply"), write.force)
    value["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return _changed(cluster, write, live, value, managers)


def _decoded(write: Write, body: Any) -> Object:
    """What was sent, if it is an object of the kind and namespace it was sent to."""
    kind = write.kind
    if not is_object(body):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    value: Object = validation.normalised(body, schema_of(kind))
    for name, expected in kind.head().items():
        if (given := value.setdefault(name, expected)) != expected:
            what = "API version" if name == "apiVersion" else name
            raise bad_request(f"the {what} in the data ({given}) does not match the expected {what} ({expected})")
    if not is_object(value.setdefault("metadata", {})):
        raise bad_request("json: cannot unmarshal metadata into an object")
    validation.check_unknown(kind, value, write.validation, write.warnings)
    metadata = value["metadata"]
    if kind.namespaced and metadata.setdefault("namespace", write.namespace) != write.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not kind.namespaced:
        metadata.pop("namespace", None)
    return value


def _changed(
    cluster: Cluster, write: Write, live: Object, value: Object, managers: list[Manager] | None = None
) -> Object:
    """Store a new state of an object, checked and completed; nothing if it is the same."""
    kind, metadata = write.kind, value["metadata"]
    if metadata.get("resourceVersion") not in (None, "", live["metadata"]["resourceVersion"]):
        raise stale(kind, write.name)
    if metadata.get("uid") not in (None, "", live["metadata"]["uid"]):
        raise other_uid(kind, write.name, metadata["uid"], live["metadata"]["uid"])
    if write.subresource == "status":
        fields = metadata.get("managedFields")
        value = {**live, "metadata": {**live["metadata"]}, "status": value.get("status", {})}
        value["metadata"]["managedFields"] = fields or live["metadata"].get("managedFields", [])
    elif "status" in kind.subresources:
        value.pop("status", None)
        if "status" in live:
            value["status"] = live["status"]
    metadata = value["metadata"]
    metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
    for each in (*SERVERS_OWN, "name", "namespace"):
        metadata.pop(each, None)
        if each in live["metadata"]:
            metadata[each] = live["metadata"][each]
    defaults.fill(kind, value)
    validation.check(kind, value)
    validation.check_change(kind, live, value)
    if _has_generation(kind) and _without(value) != _without(live):
        metadata["generation"] = live["metadata"].get("generation", 0) + 1
    if managers is None:
        managers = ownership.updated(kind, live, value, write.by("Update"))
    ownership.write_managers(value, managers)
    if value == live:
        return live
    if write.dry_run:
        return value
    if is_terminating(value) and not metadata.get("finalizers") and not ends_later(kind, value):
        return cluster.storage.remove(kind.qualified, namespace_of(value), name_of(value))
    return cluster.storage.put(kind.qualified, value).object


def _without(value: Object) -> Object:
    return {name: each for name, each in value.items() if name not in ("metadata", "status")}


def _has_generation(kind: Kind) -> bool:
    return kind.qualified not in _NO_GENERATION and (kind.model is None or "status" in kind.subresources)


def _quality(pod: Object) -> str:
    resources = [get(each, "resources", default={}) for each in get(pod, "spec", "containers", default=[])]
    if not any(resources):
        return "BestEffort"
    full = all(each.get("limits") and each.get("limits") == each.get("requests") for each in resources)
    return "Guaranteed" if full and all({"cpu", "memory"} <= set(each["limits"]) for each in resources) else "Burstable"
