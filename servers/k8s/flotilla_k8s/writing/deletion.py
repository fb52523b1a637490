"""Deleting one object, known by its uid: what became of it is told as it is, gone or still on its way out."""

import asyncio
from typing import Any

from flotilla_kit.effects import faults
from flotilla_kit.errors import Conflict, FlotillaError, NotFound

from ..cluster.place import Place
from ..errors import ClusterUnavailable, Forbidden
from ..objects import Object, at, mappings
from .answers import Outcome, Request, outcome
from .live import deleted_since, needed, read, uid_of

_PAUSE_S = 0.2
_MOST_COUNTED = 500
_INSIDE = ("Deployment", "StatefulSet", "Pod", "PersistentVolumeClaim")


async def prepare(place: Place) -> tuple[Request, Outcome]:
    """The request to delete the object that is there now, and the facts about it. Raises `NotFound`."""
    live = await needed(place)
    metadata = live["metadata"]
    owners = [f"{owner['kind']} {owner['name']}" for owner in mappings(metadata, "ownerReferences")]
    facts = outcome(
        place,
        "deleted",
        uid=uid_of(live),
        created_at=metadata.get("creationTimestamp"),
        being_deleted_since=deleted_since(live),
        finalizers=metadata.get("finalizers") or None,
        made_anew_by=owners or None,
        holds=await _inside(place) if place.kind.kind == "Namespace" else None,
    )
    return {"uid": uid_of(live)}, facts


async def perform(place: Place, request: Request, mark: str) -> Outcome:
    """Delete the object with the uid of the request; one that has its name by now stays."""
    del mark  # what is deleted keeps no mark; its uid is never given again
    assert place.name is not None
    while True:
        try:
            if (done := _seen(place, request, await read(place))) is not None:
                return done
            faults.point("before_delete")
            await place.cluster.delete(place.kind, place.name, place.namespace, uid=request["uid"])
            faults.point("after_delete")
            if (done := _seen(place, request, await read(place))) is not None:
                return done
        except (ClusterUnavailable, NotFound):
            pass  # with the uid in it the request can go again
        except Conflict as conflict:  # another uid has the name, or the API server wants to be asked again
            if type(conflict) is not Conflict:
                raise
        await asyncio.sleep(_PAUSE_S)


async def find(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform` would answer if the object is gone, or on its way out."""
    del mark
    return _seen(place, request, await read(place))


def _seen(place: Place, request: Request, live: Object | None) -> Outcome | None:
    if live is None:
        return outcome(place, "deleted", uid=request["uid"])
    if uid_of(live) != request["uid"]:
        return outcome(place, "deleted", uid=request["uid"], note="Another object has this name by now; it stays.")
    if (since := deleted_since(live)) is None:
        return None
    finalizers: list[Any] = [*(at(live, "metadata", "finalizers") or [])]
    finalizers += at(live, "spec", "finalizers") or [] if live.get("kind") == "Namespace" else []
    held_by = ", ".join(map(str, finalizers[:5]))
    note = f"Being deleted since {since}{f', held by {held_by}' if held_by else ''}; it is not gone yet."
    return outcome(place, "terminating", uid=request["uid"], note=note)


async def _inside(place: Place) -> dict[str, Any]:
    """How many objects of the kinds that people would miss go with a namespace."""

    async def count(name: str) -> int | str:
        try:
            kind = await place.cluster.kinds.find(name)
            found = await place.cluster.list_objects(kind, place.name, limit=_MOST_COUNTED)
        except Forbidden:
            return "not allowed to be read"
        except FlotillaError as error:
            if error.retryable:
                raise
            return "unknown"
        return len(mappings(found, "items")) + int(at(found, "metadata", "remainingItemCount") or 0)

    return {name: number for name in _INSIDE if (number := await count(name))}
