"""A request of the API, taken apart: what it is about, and what it wants to do with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from . import protobuf
from .changes import PATCHES
from .kinds import Kind, Kinds
from .objects import Object, is_object
from .reading import whole
from .status import bad_request, method_not_allowed, no_such_resource, unsupported_media_type
from .write import Write

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Target:
    """What a path names: a collection, an object, or a part of one."""

    kind: Kind
    namespace: str | None
    """None: of all namespaces, or of none."""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def target_of(parts: list[str], kinds: Kinds) -> Target:
    """What the parts of a path from `api` or `apis` on name.

    Raises:
        ApiError: 404, nothing.
    """
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and (len(rest) > 3 or rest[2] not in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    name, subresource = [*rest[1:], "", ""][:2]
    if kind is None or len(rest) > 3 or (subresource and subresource not in kind.subresources):
        raise no_such_resource()
    if kind.namespaced != (namespace is not None) and (name or not kind.namespaced):
        raise no_such_resource()
    return Target(kind, namespace, name, subresource)


def verb_of(method: str, target: Target, query: Mapping[str, str]) -> str:
    """The API's verb, which access is decided by.

    Raises:
        ApiError: 405, the kind has no such verb.
    """
    if method == "GET":
        verb = "get" if target.name else "watch" if query.get("watch") in ("true", "1") else "list"
    elif method == "DELETE":
        verb = "delete" if target.name else "deletecollection"
    else:
        verb = _VERBS.get(method, "")
    verbs = target.kind.subresources[target.subresource].verbs if target.subresource else target.kind.verbs
    by_name = verb in ("get", "update", "patch", "delete")
    if verb not in verbs or (by_name != bool(target.name) and not target.subresource):
        raise method_not_allowed()
    if verb in ("create", "deletecollection") and target.kind.namespaced and target.namespace is None:
        raise method_not_allowed()
    return verb


def write_of(target: Target, verb: str, query: Mapping[str, str], agent: str, content_type: str) -> Write:
    """How a write is meant.

    Raises:
        ApiError: 400, a parameter has a value that it cannot have.
    """
    manager = query.get("fieldManager", "")
    if not manager and not content_type.startswith("application/apply-patch"):
        manager = agent.partition("/")[0] or "unknown"
    if query.get("dryRun", "All") not in ("All", ""):
        raise bad_request(f'Invalid value: "{query["dryRun"]}": dryRun supports only All')
    mode = query.get("fieldValidation") or "Warn"
    if mode not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f'Unsupported value: "{mode}": supported values: "Ignore", "Warn", "Strict"')
    return Write(
        target.kind,
        target.namespace or "",
        target.name,
        target.subresource,
        manager,
        query.get("dryRun") == "All",
        mode,
        query.get("force") == "true",
    )


def decoded(body: bytes, content_type: str, verb: str) -> Any:
    """What a body says; an empty object for none.

    Raises:
        ApiError: 415, its format is not supported; 400, it cannot be parsed.
    """
    kind = content_type.partition(";")[0].strip().lower()
    supported = PATCHES if verb == "patch" else ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
    if kind and kind not in supported:
        raise unsupported_media_type(supported)
    if not body:
        return {}
    if kind == protobuf.MEDIA_TYPE:
        return protobuf.decoded(body)
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if not kind.endswith("yaml"):
            raise bad_request(f"the object provided is unrecognized: {error}") from None
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from None


def options_of(body: Any, query: Mapping[str, str]) -> Object:
    """What a delete was asked for, of its body and its query.

    Raises:
        ApiError: 400, the grace period is no number.
    """
    options: Object = dict(body) if is_object(body) else {}
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = whole(query, "gracePeriodSeconds")
    return options
