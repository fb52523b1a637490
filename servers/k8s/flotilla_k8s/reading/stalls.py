"""Why a rollout does not go on, with the evidence: quota, images, scheduling, probes, crashes, volumes, admission."""

from collections.abc import Iterable, Iterator, Mapping

from ..cluster.owned import pods
from ..cluster.place import Place
from ..models import Reason
from ..objects import Object, mapping, mappings, text
from .events import EventFilter, last_seen, read_events

LONGEST = 400  # characters of a message
MOST = 6
_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_DEFINITE = {"quota", "image_pull", "scheduling", "crash", "config", "admission", "volume", "deadline"}
_EVENTS = {
    "FailedScheduling": "scheduling",
    "FailedMount": "volume",
    "FailedAttachVolume": "volume",
    "Unhealthy": "probe",
    "FailedCreate": "admission",
}
_ORDER = ["quota", "admission", "scheduling", "image_pull", "config", "volume", "crash", "probe", "deadline"]


async def explain(place: Place, workload: Object, newest: Object | None) -> tuple[list[Reason], bool]:
    """The reasons that can be seen, the likeliest first, and whether one of them will not pass by itself.

    Args:
        newest: the ReplicaSet of a Deployment's current revision, if there is one.
    """
    owner = newest if newest is not None else workload
    unready = [pod for pod in await pods(place, owner) if not _is_ready(pod)]
    seen: list[Reason] = [*_of_conditions(place, workload)]
    if newest is not None:
        seen += _of_conditions(place, newest)
    for pod in unready:
        seen += _of_pod(place, pod)
    names = {text(each, "metadata", "name") for each in (*unready, owner)}
    known = {reason.cause for reason in seen}
    async for event in read_events(place.cluster, place.namespace, EventFilter(warnings=True)):
        reason = _of_event(place, event) if text(event, "involvedObject", "name") in names else None
        if reason is not None and (reason.cause == "probe" or reason.cause not in known):
            seen.append(reason)
    reasons = _together(seen)
    if len(reasons) > 1:
        reasons = [reason for reason in reasons if reason.cause != "deadline"]  # that follows from the others
    return reasons[:MOST], any(reason.cause in _DEFINITE for reason in reasons)


def _is_ready(pod: Object) -> bool:
    return any(
        each.get("type") == "Ready" and each.get("status") == "True" for each in mappings(pod, "status", "conditions")
    )


def _of_conditions(place: Place, value: Object) -> Iterator[Reason]:
    about = f"{text(value, 'kind') or place.kind.kind}/{text(value, 'metadata', 'name')}"
    for each in mappings(value, "status", "conditions"):
        kind, status, said = text(each, "type"), text(each, "status"), text(each, "message")
        when = text(each, "lastTransitionTime") or None
        if kind == "ReplicaFailure" and status == "True":
            yield _reason(place, _of_refusal(said), about, said, when)
        elif kind == "Progressing" and status == "False":
            yield _reason(place, "deadline", about, said, when)


def _of_pod(place: Place, pod: Object) -> Iterator[Reason]:
    about = f"Pod/{text(pod, 'metadata', 'name')}"
    for each in mappings(pod, "status", "conditions"):
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            yield _reason(place, "scheduling", about, text(each, "message"), text(each, "lastTransitionTime") or None)
    for status in (*mappings(pod, "status", "initContainerStatuses"), *mappings(pod, "status", "containerStatuses")):
        waiting = mapping(status, "state", "waiting")
        why, container = text(waiting, "reason"), text(status, "name")
        ended = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
        if why in _IMAGE:
            said = f"{container}: {why} {text(status, 'image')}: {text(waiting, 'message')}"
            yield _reason(place, "image_pull", about, said)
        elif why in _CONFIG:
            yield _reason(place, "config", about, f"{container}: {why}: {text(waiting, 'message')}")
        elif why == "CrashLoopBackOff" or (ended.get("exitCode") and not status.get("ready")):
            said = f"{container}: {text(ended, 'reason') or why}, exit code {ended.get('exitCode')}, "
            said += f"{status.get('restartCount', 0)} restarts {text(ended, 'message')}"
            yield _reason(place, "crash", about, said.strip(), text(ended, "finishedAt") or None)


def _of_event(place: Place, event: Object) -> Reason | None:
    cause, said = _EVENTS.get(text(event, "reason")), text(event, "message")
    if cause is None:
        return None
    if cause == "admission":
        cause = _of_refusal(said)
    involved: Mapping[str, object] = mapping(event, "involvedObject")
    return _reason(place, cause, f"{involved.get('kind')}/{involved.get('name')}", said, last_seen(event))


def _of_refusal(said: str) -> str:
    return "quota" if "exceeded quota" in said or "failed quota" in said else "admission"


def _reason(place: Place, cause: str, about: str, said: str, when: str | None = None) -> Reason:
    return Reason(cause=cause, objects=[about], evidence=place.cluster.redactor.text(said)[:LONGEST], last_seen=when)


def _together(reasons: Iterable[Reason]) -> list[Reason]:
    """One for each cause, with its newest evidence and what it concerns."""
    found: dict[str, Reason] = {}
    for reason in sorted(reasons, key=lambda each: each.last_seen or "", reverse=True):
        known = found.setdefault(reason.cause, reason)
        if known is not reason:
            known.objects = list(dict.fromkeys([*known.objects, *reason.objects]))
    for reason in found.values():
        if len(reason.objects) > 3:
            reason.objects = [*reason.objects[:3], f"and {len(reason.objects) - 3} more"]
    return sorted(found.values(), key=lambda reason: _ORDER.index(reason.cause))
