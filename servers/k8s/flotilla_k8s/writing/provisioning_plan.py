"""The objects of a provisioned namespace: itself, its quota, its default limits, and who may work in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from . import names, quantities
from .refusals import InvalidName

MANAGED_BY = ("app.kubernetes.io/managed-by", "flotilla")
ENVIRONMENT = "environment"
QUOTA, LIMITS, OWNERS = "flotilla-quota", "flotilla-limits", "flotilla-owners"
_DEFAULT = {"cpu": "500m", "memory": "512Mi"}  # of a container that says nothing
_DEFAULT_REQUEST = {"cpu": "100m", "memory": "128Mi"}
_SHARE = Decimal(1) / 4  # of the quota that such a container gets at most, so that some fit in
_UNIT = {"cpu": "m", "memory": "Ki"}
Body = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """A namespace as it was asked for. `labels` go onto it beside ours."""

    name: str
    cpu_limit: str
    memory_limit: str
    owner_group: str | None = None
    environment: str | None = None
    labels: Mapping[str, str] | None = None

    def check(self) -> None:
        """Return if such a namespace can be.

        Raises:
            InvalidName, InvalidQuantity: it cannot; something like it that can is suggested.
        """
        names.namespace(self.name)
        quantities.cpu(self.cpu_limit)
        quantities.memory(self.memory_limit)
        for key, text in (self.labels or {}).items():
            if not names.is_label_key(key) or not names.is_label_value(text):
                raise InvalidName(
                    "A label is not what Kubernetes allows.",
                    suggestion="A key is NAME or PREFIX/NAME; a value has at most 63 letters, digits, -, _ and .",
                )
            if key in (ENVIRONMENT, MANAGED_BY[0]):
                raise InvalidName(
                    f"{key} is no label to pass.", suggestion="Pass environment as an argument of its own."
                )
        if self.environment is not None and not names.LABEL.fullmatch(self.environment):
            suggested = names.suggestion(self.environment)
            raise InvalidName(
                "An environment is a word of lower-case letters, digits and -, such as production or staging.",
                suggestion=f"Take {suggested}." if suggested else "Take such a word.",
            )

    @property
    def namespace_labels(self) -> dict[str, str]:
        said = {ENVIRONMENT: self.environment} if self.environment else {}
        return {**(self.labels or {}), **said, MANAGED_BY[0]: MANAGED_BY[1]}


def objects(wanted: Wanted, owner_role: str) -> list[Body]:
    """The objects in the order in which they have to be made; the first is the namespace, the second its
    quota."""
    limits = {"cpu": wanted.cpu_limit, "memory": wanted.memory_limit}
    hard = {f"{kind}.{name}": limit for name, limit in limits.items() for kind in ("requests", "limits")}
    default = {name: _within(limits[name], _DEFAULT[name], name) for name in limits}
    request = {name: quantities.least(default[name], _DEFAULT_REQUEST[name]) for name in limits}
    container = {"type": "Container", "default": default, "defaultRequest": request}
    made = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.name, "labels": wanted.namespace_labels}},
        _of("v1", "ResourceQuota", QUOTA, wanted, spec={"hard": hard}),
        _of("v1", "LimitRange", LIMITS, wanted, spec={"limits": [container]}),
    ]
    if wanted.owner_group:
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": wanted.owner_group}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": owner_role}
        api = "rbac.authorization.k8s.io/v1"
        made.append(_of(api, "RoleBinding", OWNERS, wanted, roleRef=role, subjects=[group]))
    return made


def _of(api_version: str, kind: str, name: str, wanted: Wanted, **content: Any) -> Body:
    labels = {MANAGED_BY[0]: MANAGED_BY[1]}
    metadata = {"name": name, "namespace": wanted.name, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _within(limit: str, default: str, name: str) -> str:
    """A container's default: the usual one, or a part of a small quota."""
    return quantities.least(default, quantities.part_of(limit, _SHARE, _UNIT[name]))
