"""Every kind that the server knows: the built-in ones of the client library's models, and those of definitions."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lightkube import models, resources
from lightkube.core import resource as lightkube

from .objects import Object

_VERBS = {"post": "create", "put": "update"}
_SERVED = {"status", "scale", "log", "finalize", "eviction"}
"""Subresources; the others (exec, attach, portforward, proxy, binding, token …) do not exist here."""
_LEFT_OUT = {("events.k8s.io", "Event"), ("autoscaling", "v1", "HorizontalPodAutoscaler"), ("", "ComponentStatus")}
"""The same objects are served under another group or version."""
_SHORT = {
    "configmaps": "cm", "customresourcedefinitions": "crd", "endpoints": "ep", "events": "ev",
    "limitranges": "limits", "namespaces": "ns", "nodes": "no",
    "persistentvolumeclaims": "pvc", "persistentvolumes": "pv", "pods": "po", "replicationcontrollers": "rc",
    "resourcequotas": "quota", "serviceaccounts": "sa", "services": "svc", "daemonsets": "ds", "deployments": "deploy",
    "replicasets": "rs", "statefulsets": "sts", "horizontalpodautoscalers": "hpa", "cronjobs": "cj",
    "certificatesigningrequests": "csr", "ingresses": "ing", "networkpolicies": "netpol",
    "poddisruptionbudgets": "pdb", "priorityclasses": "pc", "storageclasses": "sc",
}  # fmt: skip
_ALL = {
    "pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets", "statefulsets",
    "horizontalpodautoscalers", "cronjobs", "jobs",
}  # fmt: skip


class Subresource(NamedTuple):
    """What a subresource takes, by group, version and kind, and its verbs."""

    group: str
    version: str
    kind: str
    verbs: Sequence[str]


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind in one version: what discovery says of it and where its schema comes from."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: Sequence[str]
    model: type[Any] | None = None
    """The client library's type; None for a custom resource."""
    singular: str = ""
    list_kind: str = ""
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    subresources: dict[str, Subresource] = field(default_factory=dict[str, Subresource])
    """By name, such as `scale`."""
    schema: Mapping[str, Any] | None = None
    """A custom resource's `openAPIV3Schema`."""
    columns: Sequence[Mapping[str, Any]] = ()
    """A custom resource's `additionalPrinterColumns`."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Such as `deployments.apps`; objects of all versions of it are the same objects."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def head(self) -> Object:
        return {"apiVersion": self.api_version, "kind": self.kind}

    def list_head(self, metadata: Object) -> Object:
        """A list of such objects, but for its `items`."""
        return {"kind": self.list_kind, "apiVersion": self.api_version, "metadata": metadata}


class Kinds:
    """The kinds that are served, by group, version and plural."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._named: dict[tuple[str, str], Kind] = {}
        self._qualified: dict[str, Kind] = {}
        for kind in (*_built_in(), *_measured()):
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind
        self._named[kind.api_version, kind.kind] = kind
        self._qualified.setdefault(kind.qualified, kind)

    def remove(self, qualified: str) -> None:
        """Serve no version of a plural of a group any longer."""
        kept = [kind for kind in self if kind.qualified != qualified]
        for known in (self._kinds, self._named, self._qualified):
            known.clear()
        for kind in kept:
            self.add(kind)

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, api_version: str, name: str) -> Kind | None:
        """The kind that an object's `apiVersion` and `kind` say."""
        return self._named.get((api_version, name))

    def plural(self, qualified: str) -> Kind:
        """A kind by its qualified plural, such as `deployments.apps`, in its first version."""
        return self._qualified[qualified]

    def plurals(self) -> dict[str, Kind]:
        """Each qualified plural, with the kind in its first version."""
        return dict(self._qualified)

    def groups(self) -> dict[str, list[str]]:
        """The versions of each group, preferred first."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self._kinds:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return {group: sorted(found[group], key=_priority) for group in sorted(found)}

    def of(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self if (kind.group, kind.version) == (group, version)]


def _priority(version: str) -> tuple[int, int, int]:
    """Sorts v2, v1, v1beta2, v1beta1, v1alpha1."""
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        return (3, 0, 0)
    return ({None: 0, "beta": 1, "alpha": 2}[match[2]], -int(match[1]), -int(match[3] or 0))


def _built_in() -> Iterator[Kind]:
    found: dict[tuple[str, str, str], Kind] = {}
    parts: list[tuple[tuple[str, str, str], lightkube.ApiInfo]] = []
    for module in pkgutil.iter_modules(resources.__path__):
        if not re.search(r"_v\d+$", module.name):
            continue  # alpha and beta
        for each in vars(importlib.import_module(f"{resources.__name__}.{module.name}")).values():
            info: lightkube.ApiInfo | None = getattr(each, "_api_info", None)
            if info is None or _is_left_out(info.resource):
                continue
            if info.action:
                assert info.parent is not None
                parts.append(((info.parent.group, info.parent.version, info.plural), info))
            else:
                found[info.resource.group, info.resource.version, info.plural] = _kind(each, info)
    for key, info in parts:
        if info.action in _SERVED and key in found:
            found[key].subresources[info.action] = Subresource(*info.resource, _verbs(info.verbs))
    yield from found.values()


def _kind(each: type[Any], info: lightkube.ApiInfo) -> Kind:
    definition = info.resource
    return Kind(
        definition.group,
        definition.version,
        definition.kind,
        info.plural,
        issubclass(each, lightkube.NamespacedResource),
        _verbs(info.verbs),
        next(base for base in each.__mro__ if base.__module__.startswith(models.__name__)),
        definition.kind.lower(),
        f"{definition.kind}List",
        [_SHORT[info.plural]] if info.plural in _SHORT else [],
        ["all"] if info.plural in _ALL else [],
    )


def _is_left_out(resource: lightkube.ResourceDef) -> bool:
    return (resource.group, resource.kind) in _LEFT_OUT or tuple(resource) in _LEFT_OUT


def _verbs(verbs: Sequence[str]) -> list[str]:
    return sorted({_VERBS.get(verb, verb) for verb in verbs if not verb.startswith("global_")})


def _measured() -> list[Kind]:
    """The kinds of `metrics.k8s.io`: computed when they are asked for, never stored."""
    verbs = ["get", "list"]
    return [
        Kind("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", False, verbs, list_kind="NodeMetricsList"),
        Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", True, verbs, list_kind="PodMetricsList"),
    ]
