"""OpenAPI definitions of the built-in types, made from the client library's models and their docstrings."""

import inspect
import re
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from lightkube.models import meta_v1

from .objects import Object

_PREFIX = "#/components/schemas/"
_PARAMETER = re.compile(r"^ {6}\* \*\*(\S+)\*\* ``.*?`` - ?(.*(?:\n {8}.*|\n\s*(?=\n))*)", re.MULTILINE)
_OTHER_PACKAGES = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}
_SCALARS: dict[Any, Object] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
}
# What the models do not say: how lists and maps are merged and owned. Keys, then the merge key of strategic patches.
_LISTS: dict[str, tuple[tuple[str, ...], str]] = {
    "Container.env": (("name",), "name"),
    "Container.ports": (("containerPort", "protocol"), "containerPort"),
    "Container.volumeDevices": (("devicePath",), "devicePath"),
    "Container.volumeMounts": (("mountPath",), "mountPath"),
    "ObjectMeta.ownerReferences": (("uid",), "uid"),
    "PodSpec.containers": (("name",), "name"),
    "PodSpec.ephemeralContainers": (("name",), "name"),
    "PodSpec.hostAliases": (("ip",), "ip"),
    "PodSpec.imagePullSecrets": (("name",), "name"),
    "PodSpec.initContainers": (("name",), "name"),
    "PodSpec.schedulingGates": (("name",), "name"),
    "PodSpec.topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    "PodSpec.volumes": (("name",), "name"),
    "PodStatus.podIPs": (("ip",), "ip"),
    "NodeStatus.addresses": (("type",), "type"),
    "ServiceAccount.secrets": (("name",), "name"),
    "ServiceSpec.ports": (("port", "protocol"), "port"),
    "MutatingWebhookConfiguration.webhooks": (("name",), "name"),
    "ValidatingWebhookConfiguration.webhooks": (("name",), "name"),
}
_SETS = {"ObjectMeta.finalizers", "NodeSpec.podCIDRs"}
_ATOMIC = {
    "LabelSelector", "SecretKeySelector", "ConfigMapKeySelector", "ObjectFieldSelector", "ResourceFieldSelector",
    "LocalObjectReference", "ObjectReference", "SecretReference", "OwnerReference", "NodeSelector",
    "NodeSelectorTerm", "TypedLocalObjectReference", "TopologySelectorTerm", "ScopeSelector", "RoleRef", "Subject",
    "ServiceSpec.selector", "PodSpec.nodeSelector",
}  # fmt: skip
_DEFAULTS = {"ContainerPort.protocol": "TCP", "ServicePort.protocol": "TCP"}


def name_of(model: type[Any]) -> str:
    """Such as `io.k8s.api.apps.v1.Deployment`."""
    group, _, version = model.__module__.rpartition(".")[2].rpartition("_")
    return f"{_OTHER_PACKAGES.get(group, f'io.k8s.api.{group}')}.{version}.{model.__name__}"


def reference(name: str) -> str:
    return _PREFIX + name


def referred(reference: str) -> str:
    """The definition's name that a `$ref` points to."""
    return reference.removeprefix(_PREFIX)


def metadata() -> type[Any]:
    """The type of `metadata`, which custom resources have too."""
    return meta_v1.ObjectMeta


def closure(*roots: type[Any]) -> dict[str, Object]:
    """The definitions of some types and of all that they use, by name."""
    found: dict[str, Object] = {}
    waiting = list(roots)
    while waiting:
        model = waiting.pop()
        name = name_of(model)
        if name not in found:
            found[name] = definition(register(model))
            waiting += _used(model)
    return found


_models: dict[str, type[Any]] = {}


def register(model: type[Any]) -> str:
    """Make a type's definition known by its name, which is returned."""
    name = name_of(model)
    _models[name] = model
    return name


@cache
def definition(name: str) -> Object:
    """The OpenAPI schema of a registered type; its references are registered with it."""
    model = _models[name]
    about, fields = _documentation(model)
    required: list[str] = []
    properties: Object = {}
    quantities = {field for field, said in vars(model)["__annotations__"].items() if "resource.Quantity" in str(said)}
    for field, annotation in _hints(model).items():
        path = f"{model.__name__}.{field}"
        shown = field.removesuffix("_")
        kind, optional = _without_none(annotation)
        schema = _schema(kind)
        if field in quantities:
            (schema.get("additionalProperties") or schema)["format"] = "quantity"
        if shown in fields:
            schema["description"] = fields[shown]
        if path in _DEFAULTS:
            schema["default"] = _DEFAULTS[path]
        properties[_encoded(model, field)] = schema | _merging(path, schema, kind)
        if not optional:
            required.append(_encoded(model, field))
    whole: Object = {"type": "object", "description": about, "properties": properties}
    if required:
        whole["required"] = required
    if model.__name__ in _ATOMIC:
        whole["x-kubernetes-map-type"] = "atomic"
    if not properties:
        whole["x-kubernetes-preserve-unknown-fields"] = True
    return whole


def _merging(path: str, schema: Object, kind: Any) -> Object:
    if path in _ATOMIC:
        return {"x-kubernetes-map-type": "atomic"}
    if schema.get("type") != "array":
        return {}
    if path in _SETS:
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    element = typing.get_args(kind)
    is_conditions = path.endswith(".conditions") and element and "type" in getattr(element[0], "__annotations__", {})
    keys, merge_key = _LISTS.get(path, (("type",), "type") if is_conditions else ((), ""))
    if not keys:
        return {"x-kubernetes-list-type": "atomic"}
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-merge-key": merge_key,
        "x-kubernetes-patch-strategy": "merge",
    }


def _schema(kind: Any) -> Object:
    kind, _ = _without_none(kind)
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0])}
    if kind is dict or (origin is dict and not arguments):
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin in (typing.Union, types.UnionType) and set(arguments) == {int, str}:
        return {"type": "string", "format": "int-or-string"}
    if inspect.isclass(kind) and hasattr(kind, "__struct_fields__"):
        return {"allOf": [{"$ref": reference(register(kind))}]}
    return {"x-kubernetes-preserve-unknown-fields": True}


def _used(model: type[Any]) -> Iterator[type[Any]]:
    waiting = list(_hints(model).values())
    while waiting:
        kind = waiting.pop()
        if hasattr(kind, "__struct_fields__"):
            yield kind
        else:
            waiting += typing.get_args(kind)


@cache
def _hints(model: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(model)


def _encoded(model: type[Any], field: str) -> str:
    """A field's name in JSON: `from` for `from_`."""
    return model.__struct_encode_fields__[model.__struct_fields__.index(field)]


def _without_none(kind: Any) -> tuple[Any, bool]:
    arguments = typing.get_args(kind)
    if type(None) not in arguments:
        return kind, False
    rest = tuple(each for each in arguments if each is not type(None))
    return (rest[0] if len(rest) == 1 else typing.Union[rest]), True  # noqa: UP007  of a tuple


def _documentation(model: type[Any]) -> tuple[str, dict[str, str]]:
    """What a type is, and what each of its fields is."""
    about, _, rest = (model.__doc__ or "").partition("**parameters**")
    return _plain(about), {name.removesuffix("_"): _plain(said) for name, said in _PARAMETER.findall(rest)}


def _plain(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return re.sub(r"(?<!\n)\n(?!\n)", " ", "\n".join(lines))
