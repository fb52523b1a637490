"""Restarting a rollout, and taking one back to an earlier revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flotilla_kit import times
from flotilla_kit.errors import InvalidArguments, NotFound

from ..cluster.owned import REVISION, owned, selector
from ..cluster.place import Place
from ..objects import Object, at, mapping, mappings, text
from . import diff
from .answers import Outcome, Request, outcome, shown
from .live import needed, read, spoken, uid_of
from .marks import is_marked, marked
from .once import Send, changed_meanwhile, require_same, write
from .refusals import RolloutPaused

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_HASH = "pod-template-hash"
_MOST_SHOWN = 20
Template = Mapping[str, Any]


@dataclass(frozen=True)
class Revision:
    """An earlier state of a workload's pod template, and the object that keeps it."""

    number: int
    name: str
    uid: str
    template: Template


async def prepare_restart(place: Place) -> tuple[Request, Outcome]:
    """The request to restart, and the facts.

    Raises:
        InvalidArguments: that kind has no rollouts.
        RolloutPaused: it would wait.
        NotFound: it is not there.
    """
    live = await _workload(place)
    wanted = at(live, "spec", "replicas") or at(live, "status", "desiredNumberScheduled")
    restarted = _restarted_at(live) or None
    # The time is fixed here: were the restart sent twice, the second would change nothing.
    request = {"uid": uid_of(live), "at": times.now()}
    return request, outcome(place, "updated", uid=uid_of(live), replicas=wanted, restarted_before=restarted)


async def perform_restart(place: Place, request: Request, mark: str) -> Outcome:
    async def plan(live: Object | None) -> Send | None:
        require_same(place, live, request["uid"])
        assert live is not None and place.name is not None
        _require_running(place, live)
        if _restarted_at(live) >= request["at"]:
            return None  # somebody restarted it since this was asked for
        name, template = place.name, {"metadata": {"annotations": {RESTARTED: request["at"]}}}
        patch: Object = {"metadata": _for(live, mark), "spec": {"template": template}}
        return lambda: place.cluster.patch(place.kind, name, patch, place.namespace)

    result, after = await write(place, mark, request["uid"], plan)
    return _restarted(place, request, result, after)


async def find_restart(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform_restart` would answer if its mark is there, or its time."""
    live = await read(place)
    if live is None or uid_of(live) != request["uid"]:
        return None
    ours = is_marked(live, mark) or _restarted_at(live) == request["at"]
    return _restarted(place, request, "updated", live) if ours else None


async def prepare_undo(place: Place, revision: int | None) -> tuple[Request, Outcome]:
    """The request to go back to a revision, by default the one before the current; and the facts.

    Raises:
        NotFound: there is no such revision.
        RolloutPaused: it would wait.
        InvalidArguments: that kind has no rollouts.
    """
    live = await _workload(place)
    found = await _revisions(place, live)
    current = next((one for one in reversed(found) if _same(one.template, live["spec"]["template"])), None)
    target = _chosen(place, found, current, revision)
    old, new = _states(live, target.template)
    changes = diff.compare(old, new, place.cluster.redactor.object, _MOST_SHOWN)
    said = {"revision": target.number, "revision_before": current.number if current else None}
    result = "updated" if diff.differs(old, new) else "unchanged"
    facts = outcome(place, result, uid=uid_of(live), **said, **shown(changes))
    request = {
        "uid": uid_of(live),
        "kept_by": {"name": target.name, "uid": target.uid},
        "digest": diff.digest(old, new),
        **said,
        **shown(changes),
    }
    return request, facts


async def perform_undo(place: Place, request: Request, mark: str) -> Outcome:
    async def plan(live: Object | None) -> Send | None:
        require_same(place, live, request["uid"])
        assert live is not None and place.name is not None
        _require_running(place, live)
        kept_by = [one for one in await _revisions(place, live) if one.uid == request["kept_by"]["uid"]]
        if not kept_by:
            raise changed_meanwhile(place, "lost that revision")
        old, new = _states(live, kept_by[0].template)
        if not diff.differs(old, new):
            return None
        if diff.digest(old, new) != request["digest"]:
            raise changed_meanwhile(place, "was changed")
        template = merge_patch(live["spec"]["template"], new["spec"]["template"])
        name = place.name
        patch: Object = {"metadata": _for(live, mark), "spec": {"template": template}}
        return lambda: place.cluster.patch(place.kind, name, patch, place.namespace)

    result, _ = await write(place, mark, request["uid"], plan)
    return _undone(place, request, result)


async def find_undo(place: Place, request: Request, mark: str) -> Outcome | None:
    """What `perform_undo` would answer if its mark is there."""
    return _undone(place, request, "updated") if is_marked(await read(place), mark) else None


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) from one mapping to another."""
    patch: dict[str, Any] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        was = before.get(key)
        if isinstance(was, dict) and isinstance(value, dict):
            if inner := merge_patch(cast("dict[str, Any]", was), cast("dict[str, Any]", value)):
                patch[key] = inner
        elif was != value or key not in before:
            patch[key] = value
    return patch


async def _workload(place: Place) -> Object:
    if place.kind.kind not in KINDS:
        raise InvalidArguments(f"A {place.kind.kind} has no rollouts.", suggestion=f"Only {', '.join(KINDS)} have.")
    live = await needed(place)
    _require_running(place, live)
    return live


def _require_running(place: Place, live: Object) -> None:
    if live["spec"].get("paused"):
        raise RolloutPaused(
            f"The rollout of {spoken(place)} is paused.",
            suggestion="Apply a manifest with spec.paused: false first, if it is to go on.",
        )


async def _revisions(place: Place, live: Object) -> list[Revision]:
    """The revisions that are kept, the oldest first."""
    cluster = place.cluster
    of_deployment = place.kind.kind == "Deployment"
    kind = await cluster.kinds.find("apps/v1/ReplicaSet" if of_deployment else "apps/v1/ControllerRevision")
    found = await cluster.list_objects(kind, place.namespace, labels=selector(live))
    revisions: list[Revision] = []
    for each in mappings(found, "items"):
        if not owned(each, live):
            continue
        if of_deployment:
            number, template = text(each, "metadata", "annotations", REVISION), mapping(each, "spec", "template")
        else:
            number, template = str(each.get("revision", "")), mapping(each, "data", "spec", "template")
        if number.isdigit() and template:
            metadata = each["metadata"]
            revisions.append(Revision(int(number), metadata["name"], metadata["uid"], template))
    return sorted(revisions, key=lambda one: one.number)


def _chosen(place: Place, found: list[Revision], current: Revision | None, revision: int | None) -> Revision:
    others = [one for one in found if current is None or one.number != current.number]
    if revision is None and others:
        return others[-1]
    for one in found:
        if one.number == revision:
            return one
    kept = ", ".join(str(one.number) for one in found)
    raise NotFound(
        f"{spoken(place)} has no earlier revision." if revision is None else f"{spoken(place)} has no such revision.",
        suggestion=f"Kept are: {kept}." if kept else "Nothing of its history is kept.",
    )


def _states(live: Object, template: Template) -> tuple[Object, Object]:
    """The workload's template before and after, as parts of an object, so that it can be shown like one."""
    kind = {"kind": live.get("kind")}
    return {**kind, "spec": {"template": _plain(live["spec"]["template"])}}, {
        **kind,
        "spec": {"template": _plain(template)},
    }


def _plain(template: Template) -> dict[str, Any]:
    """A template as it is in a workload, without what its controller or a patch adds."""
    metadata = {key: value for key, value in mapping(template, "metadata").items() if value is not None}
    labels = {key: value for key, value in mapping(metadata, "labels").items() if key != _HASH}
    metadata = {**metadata, "labels": labels} if "labels" in metadata else metadata
    return {**{key: value for key, value in template.items() if key != "$patch"}, "metadata": metadata}


def _same(one: Template, other: Template) -> bool:
    return _plain(one) == _plain(other)


def _restarted_at(live: Object) -> str:
    return text(live, "spec", "template", "metadata", "annotations", RESTARTED)


def _for(live: Object, mark: str) -> dict[str, Any]:
    """The metadata of a patch: marked, and for the version that was read."""
    return {"resourceVersion": live["metadata"]["resourceVersion"], "annotations": marked(live, mark, "patch")}


def _restarted(place: Place, request: Request, result: str, after: Object) -> Outcome:
    if result == "unchanged":
        return outcome(place, result, note=f"It was restarted at {_restarted_at(after)}, after this was asked for.")
    return outcome(place, result, restarted_at=request["at"], note="get_rollout follows it.")


def _undone(place: Place, request: Request, result: str) -> Outcome:
    said = {key: request[key] for key in ("changes", "left_out") if key in request and result == "updated"}
    return outcome(place, result, revision=request["revision"], revision_before=request["revision_before"], **said)
