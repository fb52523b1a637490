"""Provisioning a namespace: its objects one after the other, each applied once; a repeat finishes it.

A refusal in the middle is told with what was done before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flotilla_kit.errors import FlotillaError

from ..cluster.cluster import Cluster
from ..cluster.place import Place
from ..errors import FieldConflict, InvalidObject
from ..objects import Object, mapping
from . import diff, quantities
from .answers import Outcome, Request, outcome, shown
from .applying import Preview, apply, is_as_wanted, preview
from .live import deleted_since, read, spoken
from .marks import is_marked
from .once import found_result
from .provisioning_plan import Body, Wanted, objects

MOST_SHOWN = 12  # changes of each object


class PartlyProvisioned(FlotillaError):
    """Some of the objects are as they were asked for, another was refused; `details` say which and why."""

    code = "partly_provisioned"


async def prepare(place: Place, wanted: Wanted, owner_role: str) -> tuple[Request, Outcome]:
    """The request to provision, and the facts. `place` is the namespace's.

    Raises:
        InvalidName, InvalidQuantity: such a namespace cannot be.
        BeingDeleted: it is being deleted.
        FieldConflict: others manage what would be set.
    """
    wanted.check()
    bodies = objects(wanted, owner_role)
    namespace = await _preview(place, bodies[0])
    tried = [namespace]
    for body in bodies[1:]:
        inside = await _place(place.cluster, body)
        tried.append(_untried(body) if namespace.live is None else await _preview(inside, body))
    request = {"objects": bodies, "before": [each.as_json() for each in tried]}
    return request, outcome(
        place,
        _overall([each.result for each in tried]),
        uid=namespace.before,
        cpu_limit=wanted.cpu_limit,
        memory_limit=wanted.memory_limit,
        environment=wanted.environment,
        owner_group=wanted.owner_group,
        owner_role=owner_role if wanted.owner_group else None,
        objects=[_of(body, each.result, shown(each.changes)) for body, each in zip(bodies, tried, strict=True)],
        note=_in_use(bodies[1], tried[1].live),
    )


async def perform(place: Place, request: Request, mark: str) -> Outcome:
    """Apply each object once, in order.

    Raises:
        PartlyProvisioned: one was refused after others were done.
        FlotillaError: the first was refused; nothing was done.
    """
    done: list[dict[str, Any]] = []
    for body, before in zip(request["objects"], request["before"], strict=True):
        try:
            result, _ = await apply(await _place(place.cluster, body), body, mark, before)
        except FlotillaError as error:
            if error.retryable or not done:
                raise
            raise _partly(place, body, done, error) from error
        done.append(_of(body, result))
    return _answer(place, done)


async def find(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform` would answer if every object is there, marked or as it was to be."""
    found: list[dict[str, Any]] = []
    for body, before in zip(request["objects"], request["before"], strict=True):
        at = await _place(place.cluster, body)
        live = await read(at)
        if live is None or deleted_since(live):
            return None
        if is_marked(live, mark):
            found.append(_of(body, found_result(live, mark, before["before"])))
        elif await is_as_wanted(at, body, live):
            found.append(_of(body, "unchanged"))
        else:
            return None
    return _answer(place, found)


async def _preview(place: Place, body: Body) -> Preview:
    """A preview whose refusal says which object it is about, and what can be done: nothing is forced here."""
    try:
        return await preview(place, body)
    except FieldConflict as refusal:
        suggestion = "Ask for what it has, change it where its manager does, or delete it and call again."
        raise FieldConflict(
            f"{spoken(place)}: {refusal.message}", suggestion=suggestion, details=refusal.details
        ) from None
    except InvalidObject as refusal:
        if "roleRef" not in [cause["field"] for cause in refusal.details.get("causes", [])]:
            raise
        suggestion = f"Delete {spoken(place)}, then call again."
        raise InvalidObject(
            f"{spoken(place)} is bound to another role, which cannot be changed.",
            suggestion=suggestion,
            details=refusal.details,
        ) from None


def _untried(body: Body) -> Preview:
    """The preview of an object in a namespace that is not there, in which nothing can be tried."""
    return Preview("created", None, "", diff.compare(None, diff.stable(body), _plain, MOST_SHOWN), [])


def _plain(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body


async def _place(cluster: Cluster, body: Body) -> Place:
    metadata = body["metadata"]
    kind = await cluster.kinds.find(f"{body['apiVersion']}/{body['kind']}")
    return Place(cluster, kind, metadata.get("namespace"), metadata["name"])


def _in_use(quota: Body, live: Object | None) -> str | None:
    """Which limits would be below what is in use, so that nothing new could start."""
    used = mapping(live, "status", "used")
    over = [
        f"{name} {used[name]} of {limit}"
        for name, limit in quota["spec"]["hard"].items()
        if name in used and (quantities.value(used[name]) or 0) > (quantities.value(limit) or 0)
    ]
    return f"More is in use than this allows, so nothing new could start: {', '.join(over)}." if over else None


def _of(body: Body, result: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"kind": body["kind"], "name": body["metadata"]["name"], "result": result, **(more or {})}


def _overall(results: Sequence[str]) -> str:
    if results[0] == "created":
        return "created"
    return "unchanged" if set(results) == {"unchanged"} else "updated"


def _answer(place: Place, done: Sequence[dict[str, Any]]) -> Outcome:
    return outcome(place, _overall([each["result"] for each in done]), objects=list(done))


def _partly(place: Place, body: Body, done: Sequence[dict[str, Any]], error: FlotillaError) -> PartlyProvisioned:
    return PartlyProvisioned(
        f"The namespace {place.name} is provisioned in part: its {body['kind']} was refused. {error.message}",
        suggestion="See to what the cause says, then call again under another key: what is done stays as it is, "
        "and the rest is done.",
        details={"done": list(done), "refused": body["kind"], "cause": error.as_dict()},
    )
