"""Label and field selectors, as queries and label selectors of objects have them."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .kinds import Kind
from .objects import Object, elements, get, labels_of
from .status import bad_request

Matches = Callable[[Object], bool]
_SPLIT = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$")
_KEY = re.compile(r"^(!?)\s*([A-Za-z0-9][-A-Za-z0-9_./]*)$")
_FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
             "status.podIP"),
    "events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source",
               "type"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "replicasets.apps": ("status.replicas",),
    "jobs.batch": ("status.successful",),
    "nodes": ("spec.unschedulable",),
}  # fmt: skip


def match_all(wanted: Iterable[Matches], value: Object) -> bool:
    return all(matches(value) for matches in wanted)


def labels(text: str) -> Matches:
    """A `labelSelector` query.

    Raises:
        ApiError: 400, it cannot be parsed.
    """
    wanted = [_requirement(each.strip()) for each in _SPLIT.split(text) if each.strip()]
    return lambda value: all(holds(labels_of(value)) for holds in wanted)


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.match(text):
        key, operator, listed = match[1], match[2], {each.strip() for each in match[3].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in listed
        return lambda labels: key not in labels or labels[key] not in listed
    if match := _EQUAL.match(text):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _KEY.match(text):
        absent, key = bool(match[1]), match[2]
        return lambda labels: (key in labels) != absent
    raise bad_request(f'unable to parse requirement: found "{text}", expected a selector')


def fields(text: str, kind: Kind) -> Matches:
    """A `fieldSelector` query.

    Raises:
        ApiError: 400, it cannot be parsed or names a field that this kind is not selected by.
    """
    wanted: list[tuple[list[str], bool, str]] = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        match = _EQUAL.match(each)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{each}'")
        if match[1] not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.qualified, ())):
            raise bad_request(f'field label not supported: "{match[1]}"')
        wanted.append((match[1].split("."), match[2] != "!=", match[3]))
    return lambda value: all((_text(get(value, *path)) == said) == equal for path, equal, said in wanted)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a `LabelSelector` of an object, such as `spec.selector`, selects these labels."""
    for key, value in get(selector, "matchLabels", default={}).items():
        if labels.get(key) != value:
            return False
    for each in get(selector, "matchExpressions", default=[]):
        has, values = each["key"] in labels, elements(each.get("values"))
        holds = {
            "In": has and labels.get(each["key"]) in values,
            "NotIn": not has or labels.get(each["key"]) not in values,
            "Exists": has,
            "DoesNotExist": not has,
        }
        if not holds[each["operator"]]:
            return False
    return True
