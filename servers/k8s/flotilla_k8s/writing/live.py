"""An object that a change is about: how it is named in a request, read, and spoken of."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit.errors import NotFound

from ..cluster.clusters import Clusters
from ..cluster.place import Place
from ..objects import Object


def reference(place: Place) -> dict[str, Any]:
    """The place as JSON, for a request."""
    kind = f"{place.kind.api_version}/{place.kind.kind}"
    return {"context": place.cluster.name, "kind": kind, "namespace": place.namespace, "name": place.name}


async def place_of(clusters: Clusters, said: Mapping[str, Any]) -> Place:
    """The place that `reference` said.

    Raises:
        ContextRequired, UnknownKind: it is not served any more.
    """
    cluster = clusters.pick(said["context"])
    return Place(cluster, await cluster.kinds.find(said["kind"]), said["namespace"], said["name"])


async def read(place: Place) -> Object | None:
    """The object as it is now, None if it is not there."""
    assert place.name is not None
    try:
        return await place.cluster.get(place.kind, place.name, place.namespace)
    except NotFound:
        return None


async def needed(place: Place) -> Object:
    """The object as it is now. Raises `NotFound`."""
    assert place.name is not None
    return await place.cluster.get(place.kind, place.name, place.namespace)


def spoken(place: Place) -> str:
    """`Deployment web in team-a`."""
    return f"{place.kind.kind} {place.name}" + (f" in {place.namespace}" if place.namespace else "")


def uid_of(live: Mapping[str, Any] | None) -> str | None:
    return None if live is None else live["metadata"].get("uid")


def deleted_since(live: Mapping[str, Any] | None) -> str | None:
    """Since when the object is being deleted, None if it is not."""
    return None if live is None else live["metadata"].get("deletionTimestamp")
