"""The cluster as another system, in which the effects of the tools happen."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from flotilla_kit.effects import ExternalSystem

from ..cluster.clusters import Clusters
from ..cluster.place import Place
from . import deletion, manifest_changes, provisioning, rollouts, scaling
from .answers import Outcome, Request
from .live import place_of, reference
from .marks import mark_of


class _Change(NamedTuple):
    """How a change is made under its mark, and found again by it."""

    perform: Callable[[Place, Request, str], Awaitable[Outcome]]
    find: Callable[[Place, Request, str], Awaitable[Outcome | None]]


_CHANGES = {
    "apply": _Change(manifest_changes.perform, manifest_changes.find),
    "delete": _Change(deletion.perform, deletion.find),
    "provision": _Change(provisioning.perform, provisioning.find),
    "restart": _Change(rollouts.perform_restart, rollouts.find_restart),
    "scale": _Change(scaling.perform, scaling.find),
    "undo": _Change(rollouts.perform_undo, rollouts.find_undo),
}


def request_of(change: str, place: Place, request: Request) -> dict[str, Any]:
    """The request for a change of an object, as `ClusterChanges` is told it."""
    assert change in _CHANGES
    return {"change": change, **reference(place), **request}


class ClusterChanges(ExternalSystem):
    """Makes changes in clusters, and finds out whether one was made.

    Every change but a deletion leaves its mark on what it changes; `find` looks for that. A cluster promises nothing
    of requests that are sent twice, so `keys_kept` is None.
    """

    def __init__(self, clusters: Clusters, timeout_s: float) -> None:
        self._clusters = clusters
        self.timeout_s = timeout_s

    async def perform(self, request: Mapping[str, Any], key: str, /) -> Outcome:
        place = await place_of(self._clusters, request)
        return await _CHANGES[request["change"]].perform(place, request, mark_of(key))

    async def find(self, request: Mapping[str, Any], key: str, /) -> Outcome | None:
        place = await place_of(self._clusters, request)
        return await _CHANGES[request["change"]].find(place, request, mark_of(key))
