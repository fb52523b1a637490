"""Scaling a workload: how many replicas it is to have, from how many, and who else has a say in that."""

from flotilla_kit.errors import FlotillaError, InvalidArguments

from ..cluster.place import Place
from ..objects import Object, at, mapping, mappings, text
from .answers import Outcome, Request, outcome
from .live import needed, read, spoken, uid_of
from .marks import is_marked, marked
from .once import Send, require_same, write
from .refusals import ControlledByOther

KINDS = ("Deployment", "StatefulSet", "ReplicaSet")


async def prepare(place: Place, replicas: int) -> tuple[Request, Outcome]:
    """The request to scale, and the facts.

    Raises:
        InvalidArguments: nothing of that kind is scaled here.
        ControlledByOther: another workload decides on its replicas.
        NotFound: it is not there.
    """
    if place.kind.kind not in KINDS:
        raise InvalidArguments(
            f"A {place.kind.kind} is not scaled.", suggestion=f"scale_workload scales {', '.join(KINDS)}."
        )
    live = await needed(place)
    for owner in mappings(live, "metadata", "ownerReferences"):
        if owner.get("controller"):
            raise ControlledByOther(
                f"{owner['kind']} {owner['name']} decides on the replicas of {spoken(place)}.",
                suggestion=f"Scale {owner['kind']} {owner['name']} instead.",
            )
    now = _replicas(live)
    facts = outcome(
        place,
        "unchanged" if now == replicas else "updated",
        uid=uid_of(live),
        replicas_before=now,
        replicas=replicas,
        ready=at(live, "status", "readyReplicas") or 0,
        autoscaler=await _autoscaler(place),
    )
    return {"uid": uid_of(live), "replicas": replicas, "before": now, "autoscaler": facts.get("autoscaler")}, facts


async def perform(place: Place, request: Request, mark: str) -> Outcome:
    before: int = request["before"]

    async def plan(live: Object | None) -> Send | None:
        nonlocal before
        require_same(place, live, request["uid"])
        assert live is not None and place.name is not None
        name, before = place.name, _replicas(live)
        if before == request["replicas"]:
            return None
        metadata = {"resourceVersion": live["metadata"]["resourceVersion"], "annotations": marked(live, mark, "patch")}
        patch: Object = {"metadata": metadata, "spec": {"replicas": request["replicas"]}}
        return lambda: place.cluster.patch(place.kind, name, patch, place.namespace)

    result, _ = await write(place, mark, request["uid"], plan)
    return _answer(place, request, result, before)


async def find(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform` would answer if its mark is there; how many replicas there are by now says nothing."""
    live = await read(place)
    return _answer(place, request, "updated", request["before"]) if is_marked(live, mark) else None


def _answer(place: Place, request: Request, result: str, before: int) -> Outcome:
    note = request["autoscaler"] and f"{request['autoscaler']} may change this again."
    return outcome(place, result, replicas_before=before, replicas=request["replicas"], note=note)


def _replicas(live: Object) -> int:
    said = at(live, "spec", "replicas")
    return 1 if said is None else int(said)


async def _autoscaler(place: Place) -> str | None:
    """The HorizontalPodAutoscaler of the workload with its range, if one may be read and there is one."""
    try:
        kind = await place.cluster.kinds.find("HorizontalPodAutoscaler")
        found = await place.cluster.list_objects(kind, place.namespace, limit=100)
    except FlotillaError:  # that it cannot be read must not stop a scale
        return None
    for each in mappings(found, "items"):
        target, spec = mapping(each, "spec", "scaleTargetRef"), mapping(each, "spec")
        if (target.get("kind"), target.get("name")) == (place.kind.kind, place.name):
            least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
            return f"HorizontalPodAutoscaler {text(each, 'metadata', 'name')} ({least} to {most} replicas)"
    return None
