"""Namespaces: what a new one gets, and how one ends with all that is in it."""

from collections import Counter

from ..objects import Object, get, is_terminating, name_of, with_condition
from .control import Control


def reconcile(control: Control, namespace: Object) -> float | None:
    """Create what every namespace has, or empty a terminating one and remove it; returns when to look again."""
    if is_terminating(namespace):
        return _terminate(control, namespace)
    name = name_of(namespace)
    if control.storage.get("serviceaccounts", name, "default") is None:
        control.create("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})
    if control.storage.get("configmaps", name, "kube-root-ca.crt") is None:
        authority = {"ca.crt": "-----BEGIN CERTIFICATE-----\n(sandbox)\n-----END CERTIFICATE-----\n"}
        value = {"metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": authority}
        control.create("configmaps", value)
    return None


def _terminate(control: Control, namespace: Object) -> float | None:
    name = name_of(namespace)
    if left := control.left(namespace, "end", control.cluster.options.terminate_after_s):
        return left
    remaining: Counter[str] = Counter()
    finalizers: Counter[str] = Counter()
    for qualified in [each for each, kind in control.cluster.kinds.plurals().items() if kind.namespaced]:
        for value in control.storage.objects(qualified, name):
            if not is_terminating(value) or not value["metadata"].get("finalizers"):
                control.delete(qualified, value, grace=0)
            live = control.live(qualified, value)
            if live is not None:
                remaining[qualified] += 1
                finalizers.update(live["metadata"].get("finalizers", []))
    live = control.live("namespaces", namespace)
    if live is None:
        return None
    if not remaining:
        if not live["metadata"].get("finalizers"):
            control.over(live, "end")
            control.remove("namespaces", live)
        return None
    kinds = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(remaining.items()))
    held = ", ".join(f"{each} in {count} resource instances" for each, count in sorted(finalizers.items()))
    conditions = get(live, "status", "conditions", default=[])
    conditions = with_condition(conditions, "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                                f"Some resources are remaining: {kinds}")  # fmt: skip
    if held:
        conditions = with_condition(conditions, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                                    f"Some content in the namespace has finalizers remaining: {held}")  # fmt: skip
    control.update("namespaces", live, status={**live["status"], "conditions": conditions})
    return 0.5
