"""How far a rollout is, once or watched until it ends, and why it does not go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from ..cluster.owned import REVISION, replica_sets
from ..cluster.place import Place
from ..errors import ClusterUnavailable
from ..models import Revision, Rollout
from ..objects import Object, at, mapping, mappings, text
from . import stalls

Told = Callable[[float, float, str], Awaitable[None]]
"""Is told how far it is: done, total, in words."""
STALLED_S = 10.0
"""How long a reason for a stall must have held before waiting ends early: many pass by themselves."""
_LOOK_S = 3.0  # evidence is looked at anew at least so often
_MOST_REVISIONS = 5


async def get_rollout(place: Place, wait_s: int, told: Told) -> Rollout:
    """The state of a `Workload`'s rollout; with `wait_s`, once it is complete, stalled for a while, or the time is
    over."""
    started = time.monotonic()
    stalled_at: float | None = None
    while True:
        rollout, version = await _look(place)
        waited = time.monotonic() - started
        stalled_at = (stalled_at if stalled_at is not None else waited) if rollout.status == "stalled" else None
        rollout.waited_s = round(waited) if wait_s else None
        await told(waited, wait_s, _in_words(rollout))
        left = wait_s - waited
        if left <= 0 or rollout.status in ("complete", "paused"):
            return rollout
        if stalled_at is not None and waited - stalled_at >= STALLED_S:
            return rollout
        await _change(place, version, min(left, _LOOK_S))


async def _look(place: Place) -> tuple[Rollout, str]:
    """The state now, and the resource version that it is of."""
    assert place.name is not None
    workload = await place.cluster.get(place.kind, place.name, place.namespace)
    rollout = _counted(place, workload)
    if place.kind.kind == "Deployment":
        sets = await replica_sets(place, workload)
        rollout.revisions = [_revision(each) for each in sets[:_MOST_REVISIONS]] or None
    else:
        sets = []
    if rollout.status == "progressing":
        found, definite = await stalls.explain(place, workload, sets[0] if sets else None)
        rollout.reasons = found or None
        rollout.status = "stalled" if definite else "progressing"
    return rollout, text(workload, "metadata", "resourceVersion")


async def _change(place: Place, version: str, wait_s: float) -> None:
    """Return when the workload changed, or after a while. An expired watch (410) ends, and it is read again."""
    watched = place.cluster.watch(place.kind, place.namespace, name=str(place.name), version=version, timeout_s=wait_s)

    async def first() -> None:
        async for _ in watched:
            return
        await asyncio.sleep(min(wait_s, 1.0))  # the API server closed it: not so fast again

    try:
        await asyncio.wait_for(first(), wait_s)
    except TimeoutError:
        return
    except ClusterUnavailable:
        await asyncio.sleep(min(wait_s, 1.0))  # the read that follows says so if it lasts
    finally:
        await watched.aclose()


def _counted(place: Place, workload: Object) -> Rollout:
    status, spec = mapping(workload, "status"), mapping(workload, "spec")
    seen = int(status.get("observedGeneration") or 0) >= int(at(workload, "metadata", "generation") or 0)

    def number(*names: str) -> int:
        return int(next((status[name] for name in names if status.get(name) is not None), 0))

    if place.kind.kind == "DaemonSet":
        desired = number("desiredNumberScheduled")
        updated, ready = number("updatedNumberScheduled"), number("numberReady")
        available, total = number("numberAvailable"), number("currentNumberScheduled")
        complete = updated >= desired and available >= desired
    else:
        desired = int(spec["replicas"]) if spec.get("replicas") is not None else 1
        updated, ready, total = number("updatedReplicas"), number("readyReplicas"), number("replicas")
        available = number("availableReplicas") if place.kind.kind == "Deployment" else ready
        complete = _is_complete(place.kind.kind, spec, desired, updated, available, total)
    paused = bool(spec.get("paused"))
    return Rollout(
        kind=place.kind.kind,
        name=str(place.name),
        namespace=str(place.namespace),
        status="complete" if complete and seen else "paused" if paused else "progressing",
        desired=desired,
        updated=updated,
        ready=ready,
        available=available,
        old=max(0, total - updated) or None,
        revision=at(workload, "metadata", "annotations", REVISION) or status.get("updateRevision"),
        images=[text(each, "image") for each in mappings(spec, "template", "spec", "containers")][:10],
    )


def _is_complete(kind: str, spec: Object, desired: int, updated: int, available: int, total: int) -> bool:
    if kind == "Deployment":
        return updated >= desired and total <= updated and available >= updated
    partition = int(at(spec, "updateStrategy", "rollingUpdate", "partition") or 0)
    on_delete = at(spec, "updateStrategy", "type") == "OnDelete"
    return available >= desired and (on_delete or updated >= desired - partition)


def _revision(replica_set: Object) -> Revision:
    return Revision(
        revision=text(replica_set, "metadata", "annotations", REVISION),
        images=[text(each, "image") for each in mappings(replica_set, "spec", "template", "spec", "containers")][:5],
        replicas=int(at(replica_set, "status", "replicas") or 0),
        created=text(replica_set, "metadata", "creationTimestamp") or None,
    )


def _in_words(rollout: Rollout) -> str:
    said = f"{rollout.status}: {rollout.updated} of {rollout.desired} updated, {rollout.available} available"
    return f"{said}; {rollout.reasons[0].cause}" if rollout.reasons else said
