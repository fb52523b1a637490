"""What is different between two states of one object: bounded, redacted, a line for each field."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..cluster.names import OUR_PREFIX
from ..models import FieldChange
from ..objects import SERVER_METADATA, mapping
from .quantities import same

MOST_CHANGES = 40
MOST_TEXT = 200  # characters of a value
_KEYS = ("name", "containerPort", "port", "mountPath", "key", "ip", "topologyKey")  # what names an entry of a list
_OWN = (OUR_PREFIX, "deployment.kubernetes.io/")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUANTITIES = ("requests", "limits", "hard", "capacity", "max", "min", "default", "defaultRequest")
_ABSENT: Any = object()


@dataclass(frozen=True)
class Diff:
    """The fields that change, the first of them shown. `left_out` says how many are not."""

    changes: list[FieldChange]
    left_out: int


def stable(body: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what an API server or this server writes of its own accord."""
    metadata = {key: value for key, value in mapping(body, "metadata").items() if key not in SERVER_METADATA}
    annotations = mapping(metadata, "annotations")
    metadata["annotations"] = {key: said for key, said in annotations.items() if not key.startswith(_OWN)}
    for key in ("annotations", "labels"):
        if not metadata.get(key):
            metadata.pop(key, None)
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}


def differs(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether anything changes; another text for the same quantity is no change."""
    return before is None or next(_places(before, after, ()), None) is not None


def digest(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """A short text that stands for exactly the changes from one state to the other, secrets and all."""
    old: Mapping[str, Any] = before or {}
    changes = [
        [_written(place), _known(_at(old, place)), _known(_at(after, place))] for place in _places(old, after, ())
    ]
    text = json.dumps([before is None, changes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compare(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    shown: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    most: int = MOST_CHANGES,
) -> Diff:
    """The fields in which two states differ.

    Args:
        before: None if the object is not there yet; then everything of it is new.
        shown: what may be shown of an object, in the same shape. A secret that changes is listed, without its values.
    """
    old: Mapping[str, Any] = before or {}
    places = list(_places(old, after, ()))
    visible = [(None if before is None else shown(old)) or {}, shown(after)]
    changes = [
        FieldChange(path=_written(place), before=_short(_at(visible[0], place)), after=_short(_at(visible[1], place)))
        for place in places[:most]
    ]
    return Diff(changes=changes, left_out=max(0, len(places) - most))


def _places(before: Any, after: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Where two values differ, as deep as both have a place for it."""
    if isinstance(before, dict) and isinstance(after, dict):
        one, other = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _places(one.get(key, _ABSENT), other.get(key, _ABSENT), (*place, key))
    elif isinstance(before, list) and isinstance(after, list):
        entries = _by_key(cast("list[Any]", before)), _by_key(cast("list[Any]", after))
        for key in [*entries[0], *(key for key in entries[1] if key not in entries[0])]:
            yield from _places(entries[0].get(key, _ABSENT), entries[1].get(key, _ABSENT), (*place, key))
    elif isinstance(after, dict) and before is _ABSENT and after and len(place) < 2:
        for key, value in cast("dict[str, Any]", after).items():  # of what is new: a line for each part of it
            yield from _places(_ABSENT, value, (*place, key))
    elif before != after and not _same_quantity(before, after, place):
        yield place


def _same_quantity(before: Any, after: Any, place: tuple[Any, ...]) -> bool:
    texts = isinstance(before, str | int) and isinstance(after, str | int)
    return texts and place[-2:-1] != () and place[-2] in _QUANTITIES and same(str(before), str(after))


def _by_key(items: Sequence[Any]) -> dict[Any, Any]:
    """The entries of a list by what names them, such as a container's name; by their number if nothing does."""
    for key in _KEYS:
        found = [_entry(item).get(key) for item in items]
        if items and None not in found and len({str(one) for one in found}) == len(found):
            return {(key, one): item for one, item in zip(found, items, strict=True)}
    return dict(enumerate(items))


def _entry(item: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", item) if isinstance(item, dict) else {}


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        match step:
            case (key, name):
                entries = cast("list[Any]", value) if isinstance(value, list) else []
                value = next((one for one in entries if _entry(one).get(key) == name), _ABSENT)
            case int():
                items = cast("list[Any]", value) if isinstance(value, list) else []
                value = items[step] if step < len(items) else _ABSENT
            case _:
                value = cast("dict[str, Any]", value).get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


def _known(value: Any) -> list[Any]:
    return [] if value is _ABSENT else [value]


def _short(value: Any) -> Any:
    """The value, or the beginning of its JSON if that is long; None for one that is not there."""
    if value is _ABSENT:
        return None
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text)} characters)"


def _written(place: tuple[Any, ...]) -> str:
    """The place as people write it: `spec.containers[web].image`, `metadata.annotations["a/b"]`."""
    text = ""
    for step in place:
        match step:
            case (_, name):
                text += f"[{name}]"
            case int():
                text += f"[{step}]"
            case _:
                key = str(step)
                text += (f".{key}" if text else key) if _PLAIN.fullmatch(key) else f"[{json.dumps(key)[:120]}]"
    return text
