"""Applying a manifest, server-side: what that would change, and the change."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flotilla_kit.errors import Conflict, InvalidArguments, NotFound

from ..cluster.place import Place
from ..errors import FieldConflict
from ..objects import Object
from . import diff
from .live import deleted_since, read, spoken, uid_of
from .marks import marked
from .once import Result, Send, changed_meanwhile, require_same, write

Body = Mapping[str, Any]
_TRIES, _PAUSE_S = 5, 0.1


class BeingDeleted(Conflict):
    """The object, or its namespace, is being deleted; once it is gone it can be made anew."""

    code = "being_deleted"
    retryable = True


@dataclass(frozen=True)
class Preview:
    """What an apply would do to the object, `live`. `digest` stands for exactly these changes."""

    result: Result
    live: Object | None
    digest: str
    changes: diff.Diff
    taken: list[dict[str, str]]
    """Fields that it takes from other managers, each `manager` and `field`."""

    @property
    def before(self) -> str | None:
        """The object's uid."""
        return uid_of(self.live)

    def as_json(self) -> dict[str, Any]:
        """What a request keeps of it."""
        return {"before": self.before, "digest": self.digest}


async def preview(place: Place, body: Body, *, force: bool = False) -> Preview:
    """Try an apply without making it.

    Raises:
        BeingDeleted: the object is being deleted.
        FieldConflict: others own fields of it, without `force`.
        FlotillaError: the API server would refuse it.
    """
    live = await read(place)
    if since := deleted_since(live):
        raise BeingDeleted(
            f"{spoken(place)} is being deleted, since {since}.",
            suggestion="Wait until it is gone, then call again; its finalizers may hold it.",
        )
    taken: list[dict[str, str]] = []
    try:
        after = await _tried(place, body)
    except FieldConflict as conflict:
        if not force:
            raise
        taken = conflict.details["conflicts"]
        after = await _tried(place, body, force=True)
    old, new = _states(live, after, body)
    result: Result = "created" if live is None else "updated" if diff.differs(old, new) else "unchanged"
    shown = diff.compare(old, new, place.cluster.redactor.object)
    return Preview(result, live, diff.digest(old, new), shown, taken)


async def apply(
    place: Place, body: Body, mark: str, before: Mapping[str, Any], *, force: bool = False
) -> tuple[Result, Object]:
    """Apply a manifest once, if that still changes exactly what the preview of it said.

    Args:
        before: `Preview.as_json`.

    Raises:
        ChangedMeanwhile: it would change something else by now. This was not done.
        FlotillaError: the API server refuses it.
    """

    async def plan(live: Object | None) -> Send | None:
        if live is not None and deleted_since(live) is None:
            old, new = _states(live, await _tried(place, body, force=force), body)
            if not diff.differs(old, new):
                return None
            require_same(place, live, before["before"])
            if diff.digest(old, new) != before["digest"]:
                raise changed_meanwhile(place, "was changed")
        require_same(place, live, before["before"])
        return lambda: _apply(place, _with(body, live, mark), force=force)

    return await write(place, mark, before["before"], plan)


async def is_as_wanted(place: Place, body: Body, live: Object) -> bool:
    """Whether an apply would change nothing."""
    try:
        old, new = _states(live, await _tried(place, body), body)
    except (FieldConflict, NotFound):
        return False
    return not diff.differs(old, new)


async def _tried(place: Place, body: Body, *, force: bool = False) -> Object:
    """What the API server would make of an apply; asked again if others were faster than that."""
    for number in range(_TRIES):
        try:
            after, _ = await _apply(place, body, force=force, dry_run=True)
            return after
        except Conflict as conflict:
            if type(conflict) is not Conflict or number == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("the last try returns or raises")


async def _apply(place: Place, body: Body, *, force: bool = False, dry_run: bool = False) -> tuple[Object, bool]:
    assert place.name is not None
    try:
        return await place.cluster.apply(place.kind, place.name, body, place.namespace, force=force, dry_run=dry_run)
    except NotFound:  # of an apply it can only be the namespace, or the kind itself
        if place.namespace is None:
            raise InvalidArguments(
                f"The API server does not apply objects of the kind {place.kind.kind}.",
                suggestion="Look at what it has with list_resources.",
            ) from None
        raise NotFound(
            f"There is no namespace {place.namespace}.", suggestion="provision_namespace makes one; or name another."
        ) from None


def _states(live: Object | None, after: Object, body: Body) -> tuple[Object | None, Object]:
    """The object before and after, comparable; of a new one only what the manifest says."""
    if live is None:
        return None, diff.stable(body)
    return diff.stable(live), diff.stable(after)


def _with(body: Body, live: Object | None, mark: str) -> Object:
    """The manifest to send: marked, and for the version that was read, and the uid: by the version alone an API server
    would make an object anew that was deleted since."""
    metadata = dict(body["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **marked(live, mark, "apply")}
    if live is not None:
        metadata |= {name: live["metadata"][name] for name in ("resourceVersion", "uid")}
    return {**body, "metadata": metadata}
