"""What the server says of its groups, versions and kinds: one by one, or aggregated in one document."""

from .kinds import Kind, Kinds
from .objects import Object
from .status import no_such_resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RELEASE = "v1.37.0-sandbox"
VERSION = {"major": "1", "minor": "37", "gitVersion": RELEASE, "platform": "linux/amd64"}


def versions() -> Object:
    """`/api`."""
    return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(kinds: Kinds) -> Object:
    """`/apis`."""
    found = [_group(name, versions) for name, versions in kinds.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, kinds: Kinds) -> Object:
    """`/apis/GROUP`.

    Raises:
        ApiError: 404.
    """
    versions = kinds.groups().get(name)
    if versions is None:
        raise no_such_resource()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def _group(name: str, versions: list[str]) -> Object:
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
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
        listed.append(
            {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": kind.verbs,
                **_aliases(kind),
            }
        )
        for name, of in kind.subresources.items():
            part = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced, "kind": of.kind}
            if (of.group, of.version) != (group, version):
                part |= {"group": of.group, "version": of.version}
            listed.append({**part, "verbs": of.verbs})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": listed,
    }


def _aliases(kind: Kind) -> Object:
    """What else a kind is called, if anything."""
    aliases = {"shortNames": kind.short_names, "categories": kind.categories}
    return {key: names for key, names in aliases.items() if names}


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
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": kind.verbs,
        "subresources": [
            {
                "subresource": name,
                "responseKind": {"group": of.group, "version": of.version, "kind": of.kind},
                "verbs": of.verbs,
            }
            for name, of in kind.subresources.items()
        ],
        **_aliases(kind),
    }
