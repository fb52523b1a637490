"""What the server says of its groups, versions and kinds: one by one, or aggregated in one document."""

from .kinds import Kind, Kinds
from .objects import Object
from .status import no_such_resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.0-sandbox", "platform": "linux/amd64"}


def versions() -> Object:
    """`/api`."""
    return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(kinds: Kinds) -> Object:
    """`/apis`."""
    found = [_group(name, kinds) for name in kinds.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, kinds: Kinds) -> Object:
    """`/apis/GROUP`.

    Raises:
        ApiError: 404.
    """
    if name not in kinds.groups():
        raise no_such_resource()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds)}


def _group(name: str, kinds: Kinds) -> Object:
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in kinds.groups()[name]]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def resources(group: str, version: str, kinds: Kinds) -> Object:
    """`/api/v1` and `/apis/GROUP/VERSION`.

    Raises:
        ApiError: 404.
    """
    found = kinds.of(group, version)
    if not found:
        raise no_such_resource()
    listed: list[Object] = []
    for kind in found:
        listed.append({**_resource(kind), "name": kind.plural, "singularName": kind.singular, "kind": kind.kind})
        for name, (of_group, of_version, of_kind, verbs) in kind.subresources.items():
            part = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced, "kind": of_kind}
            if (of_group, of_version) != (group, version):
                part |= {"group": of_group, "version": of_version}
            listed.append({**part, "verbs": verbs})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": listed,
    }


def _resource(kind: Kind) -> Object:
    named: Object = {"namespaced": kind.namespaced, "verbs": kind.verbs}
    if kind.short_names:
        named["shortNames"] = kind.short_names
    if kind.categories:
        named["categories"] = kind.categories
    return named


def aggregated(kinds: Kinds, core: bool) -> Object:
    """`/api` (the core group) or `/apis` (the others), with every kind in it."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated(kind) for kind in kinds.of(name, version)],
                    "freshness": "Current",
                }
                for version in found
            ],
        }
        for name, found in kinds.groups().items()
        if (not name) == core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated(kind: Kind) -> Object:
    described: Object = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": kind.verbs,
        "subresources": [
            {
                "subresource": name,
                "responseKind": {"group": group, "version": version, "kind": of_kind},
                "verbs": verbs,
            }
            for name, (group, version, of_kind, verbs) in kind.subresources.items()
        ],
    }
    if kind.short_names:
        described["shortNames"] = kind.short_names
    if kind.categories:
        described["categories"] = kind.categories
    return described
