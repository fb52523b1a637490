"""What may be created where: namespaces that exist, limit ranges, and quotas."""

from collections.abc import Iterator
from fractions import Fraction

from . import quantities
from .kinds import Kind
from .objects import Object, get, is_terminating, name_of
from .status import ApiError, cause, forbidden, not_found
from .storage import Storage

IMMORTAL = ("default", "kube-public", "kube-system")
_COUNTED = {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets",
            "services"}  # fmt: skip


def check_namespace(storage: Storage, namespaces: Kind, kind: Kind, namespace: str, name: str) -> None:
    """Raise that nothing can be created in a namespace.

    Raises:
        ApiError: 404, it does not exist; 403, it is being deleted.
    """
    found = storage.get(namespaces.qualified, "", namespace)
    if found is None:
        raise not_found(namespaces, namespace)
    if is_terminating(found):
        why = f"namespace {namespace} is being terminated"
        because = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden(kind, name, because, [cause("metadata.namespace", why, "NamespaceTerminating")])


def apply_limits(storage: Storage, kind: Kind, namespace: str, pod: Object) -> None:
    """Fill in the container defaults of a namespace's limit ranges, and check their bounds.

    Raises:
        ApiError: 403, a container is out of bounds.
    """
    for limits in storage.objects("limitranges", namespace):
        for each in get(limits, "spec", "limits", default=[]):
            if each.get("type") == "Container":
                for container in get(pod, "spec", "containers", default=[]):
                    _limit(kind, name_of(pod), container, each)


def _limit(kind: Kind, name: str, container: Object, limits: Object) -> None:
    resources = container.setdefault("resources", {})
    for kept, default in (("limits", "default"), ("requests", "defaultRequest")):
        missing = {key: value for key, value in limits.get(default, {}).items() if key not in resources.get(kept, {})}
        if missing:
            resources[kept] = {**resources.get(kept, {}), **missing}
    for bound, word, kept in (("max", "maximum", "limits"), ("min", "minimum", "requests")):
        for resource, value in limits.get(bound, {}).items():
            given = get(resources, kept, resource)
            if given is None:
                why = f"{word} {resource} usage per Container is {value}.  No {kept[:-1]} is specified"
                raise forbidden(kind, name, why)
            over = quantities.parse(given) - quantities.parse(value)
            if (over > 0) if bound == "max" else (over < 0):
                raise forbidden(kind, name, f"{word} {resource} usage per Container is {value}, but {kept[:-1]} is "
                                f"{given}")  # fmt: skip


def check_quota(storage: Storage, kind: Kind, namespace: str, value: Object) -> None:
    """Raise that an object to be created exceeds a quota of its namespace.

    Raises:
        ApiError: 403.
    """
    for quota in storage.objects("resourcequotas", namespace):
        hard = get(quota, "spec", "hard", default={})
        wanted = {key: amount for key, amount in charge(kind.qualified, value).items() if key in hard}
        if missing := _unspecified(kind, value, hard):
            raise forbidden(kind, name_of(value), f"failed quota: {name_of(quota)}: must specify {missing}")
        used = usage(storage, namespace, hard)
        over = [key for key, amount in wanted.items() if amount + used[key] > quantities.parse(hard[key])]
        if over:
            raise _exceeded(kind, value, quota, sorted(over), wanted, used)


def _exceeded(
    kind: Kind, value: Object, quota: Object, over: list[str], wanted: dict[str, Fraction], used: dict[str, Fraction]
) -> ApiError:
    hard = quota["spec"]["hard"]

    def shown(amounts: dict[str, Fraction]) -> str:
        return ",".join(f"{key}={quantities.show(amounts[key], like=hard[key])}" for key in over)

    limited = ",".join(f"{key}={hard[key]}" for key in over)
    why = f"exceeded quota: {name_of(quota)}, requested: {shown(wanted)}, used: {shown(used)}, limited: {limited}"
    return forbidden(kind, name_of(value), why)


def _unspecified(kind: Kind, value: Object, hard: Object) -> str:
    """What a pod must say of its containers because a quota counts it, such as `limits.cpu for: app`."""
    if kind.qualified != "pods":
        return ""
    found: list[str] = []
    for key in sorted(hard):
        names = [each["name"] for each in get(value, "spec", "containers", default=[]) if not _amounts(each, key)]
        if names and key.partition(".")[0] in ("limits", "requests", "cpu", "memory"):
            found.append(f"{key} for: {','.join(names)}")
    return "; ".join(found)


def _amounts(container: Object, key: str) -> str | None:
    """What a container says of `limits.cpu`, `requests.cpu` or `cpu`, which is the request."""
    side, _, resource = key.rpartition(".")
    return get(container, "resources", side or "requests", resource)


def charge(qualified: str, value: Object) -> dict[str, Fraction]:
    """What one object counts in quotas; nothing for a pod that has ended."""
    plural, _, group = qualified.partition(".")
    counts = {f"count/{plural}.{group}" if group else f"count/{plural}": Fraction(1)}
    if qualified in _COUNTED:
        counts[plural] = Fraction(1)
    if qualified != "pods":
        return counts
    if get(value, "status", "phase") in ("Succeeded", "Failed"):
        return {}
    for key, amount in _sums(value):
        counts[key] = counts.get(key, Fraction(0)) + amount
    return counts


def _sums(pod: Object) -> Iterator[tuple[str, Fraction]]:
    for container in get(pod, "spec", "containers", default=[]):
        for side in ("limits", "requests"):
            for resource, amount in get(container, "resources", side, default={}).items():
                parsed = quantities.parse(amount)
                yield f"{side}.{resource}", parsed
                if side == "requests":
                    yield resource, parsed


def usage(storage: Storage, namespace: str, hard: Object) -> dict[str, Fraction]:
    """What a namespace uses of each thing that a quota limits."""
    used = {key: Fraction(0) for key in hard}
    for qualified in _counted_by(hard):
        for value in storage.objects(qualified, namespace):
            for key, amount in charge(qualified, value).items():
                if key in used:
                    used[key] += amount
    return used


def _counted_by(hard: Object) -> set[str]:
    kinds: set[str] = set()
    for key in hard:
        if key.startswith("count/"):
            kinds.add(key.removeprefix("count/"))
        else:
            kinds.add(key if key in _COUNTED else "pods")
    return kinds
