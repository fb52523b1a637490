"""Role-based access: the rules that Role and ClusterRole objects give to whom bindings name."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..objects import Object, get
from ..storage import Storage
from .users import User

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_NAMESPACED = {
    "": ["configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods", "pods/log",
         "pods/status", "replicationcontrollers", "replicationcontrollers/scale", "resourcequotas",
         "resourcequotas/status", "serviceaccounts", "services", "namespaces", "namespaces/status"],
    "apps": ["controllerrevisions", "daemonsets", "deployments", "deployments/scale", "replicasets",
             "replicasets/scale", "statefulsets", "statefulsets/scale"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "discovery.k8s.io": ["endpointslices"],
    "metrics.k8s.io": ["pods", "nodes"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
}  # fmt: skip
_NOT_EDITED = {"events", "limitranges", "namespaces", "resourcequotas", "endpoints", "controllerrevisions"}
_OWN_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


@dataclass(frozen=True)
class Access:
    """What someone wants to do."""

    verb: str
    group: str
    resource: str
    """With its subresource, such as `pods/log`."""
    namespace: str = ""
    name: str = ""


def allows(storage: Storage, user: User, access: Access) -> bool:
    """Whether a user may do something."""
    if user.is_master or access.resource in _OWN_REVIEWS:
        return True
    return any(_covers(rule, access) for rule in rules_of(storage, user, access.namespace))


def rules_of(storage: Storage, user: User, namespace: str) -> Iterator[Object]:
    """All rules that a user has in a namespace, or in the cluster for an empty one."""
    for binding in storage.objects("clusterrolebindings.rbac.authorization.k8s.io"):
        if _names(binding, user):
            yield from _role(storage, binding, "")
    if namespace:
        for binding in storage.objects("rolebindings.rbac.authorization.k8s.io", namespace):
            if _names(binding, user):
                yield from _role(storage, binding, namespace)


def _names(binding: Object, user: User) -> bool:
    for subject in get(binding, "subjects", default=[]):
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "ServiceAccount":
            name = f"system:serviceaccount:{subject.get('namespace')}:{name}"
        if (kind == "Group" and name in user.groups) or (kind in ("User", "ServiceAccount") and name == user.name):
            return True
    return False


def _role(storage: Storage, binding: Object, namespace: str) -> list[Object]:
    kind, name = get(binding, "roleRef", "kind"), get(binding, "roleRef", "name", default="")
    plural, within = ("roles", namespace) if kind == "Role" else ("clusterroles", "")
    return get(storage.get(f"{plural}.rbac.authorization.k8s.io", within, name), "rules", default=[])


def _covers(rule: Object, access: Access) -> bool:
    plural, _, part = access.resource.partition("/")
    resources = (access.resource, "*", f"*/{part}" if part else plural)
    return (
        _any(rule, "verbs", access.verb)
        and _any(rule, "apiGroups", access.group)
        and any(each in resources for each in rule.get("resources", ()))
        and (not rule.get("resourceNames") or access.name in rule["resourceNames"])
    )


def _any(rule: Object, field: str, wanted: str) -> bool:
    listed = rule.get(field, ())
    return wanted in listed or "*" in listed


def refusal(user: User, access: Access) -> str:
    """Why something is forbidden, as the real server says it."""
    where = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    what = f'cannot {access.verb} resource "{access.resource}" in API group "{access.group}"'
    return f'User "{user.name}" {what} {where}'


def cluster_roles() -> dict[str, list[Object]]:
    """The rules of the cluster roles that every cluster has."""
    view = [_rule(group, resources, _READ) for group, resources in _NAMESPACED.items()]
    edit = [
        _rule(group, [each for each in resources if each not in _NOT_EDITED and "status" not in each], _WRITE)
        for group, resources in _NAMESPACED.items()
        if group not in ("metrics.k8s.io", "discovery.k8s.io")
    ] + [_rule("", ["secrets"], _READ + _WRITE), _rule("", ["pods/eviction"], ["create"])]
    roles = _rule("rbac.authorization.k8s.io", ["roles", "rolebindings"], _READ + _WRITE)
    return {
        "cluster-admin": [_rule("*", ["*"], ["*"])],
        "admin": [*view, *edit, roles, _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"])],
        "edit": [*view, *edit],
        "view": view,
    }


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
