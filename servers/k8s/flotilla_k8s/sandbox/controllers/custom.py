"""Custom resource definitions: the kinds that they add to the server."""

from ..kinds import Kind, Subresource
from ..objects import Object, get, is_terminating, with_condition
from .control import Control

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def reconcile(control: Control, definition: Object) -> None:
    """Serve each version that the definition says is served."""
    if is_terminating(definition):
        return
    spec = definition["spec"]
    for version in spec["versions"]:
        if version.get("served"):
            control.cluster.kinds.add(_kind(spec, version))
    conditions = get(definition, "status", "conditions", default=[])
    conditions = with_condition(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
    conditions = with_condition(conditions, "Established", "True", "InitialNamesAccepted",
                                "the initial names have been accepted")  # fmt: skip
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    status = {"acceptedNames": spec["names"], "conditions": conditions, "storedVersions": stored}
    control.update("customresourcedefinitions.apiextensions.k8s.io", definition, status=status)


def _kind(spec: Object, version: Object) -> Kind:
    names: Object = spec["names"]
    kind = Kind(
        spec["group"],
        version["name"],
        names["kind"],
        names["plural"],
        spec["scope"] == "Namespaced",
        _VERBS,
        singular=names.get("singular", names["kind"].lower()),
        list_kind=names.get("listKind", f"{names['kind']}List"),
        short_names=names.get("shortNames", []),
        categories=names.get("categories", []),
        schema=get(version, "schema", "openAPIV3Schema"),
        columns=version.get("additionalPrinterColumns", []),
    )
    if get(version, "subresources", "status") is not None:
        status = Subresource(kind.group, kind.version, kind.kind, ["get", "patch", "update"])
        kind.subresources["status"] = status
    return kind
