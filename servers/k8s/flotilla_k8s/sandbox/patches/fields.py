"""The fields of an object as paths, in the elements that `FieldsV1` has: `f:name`, `k:{keys}`, `v:value`."""

import json
from collections.abc import Iterable
from typing import Any

from ..objects import Object, is_list, is_object
from ..schemas import Schema

Path = tuple[str, ...]
Owned = frozenset[Path]
PRESENT = object()
"""The value of a list's element itself, beside the values of its fields."""


def flat(value: Any, schema: Schema, path: Path = ()) -> dict[Path, Any]:
    """Every field that can be owned, with its value; what is owned as a whole is one field."""
    if is_object(value) and value and not schema.is_atomic:
        found: dict[Path, Any] = {}
        for name, each in value.items():
            found |= flat(each, schema.field(str(name)), (*path, f"f:{name}"))
        return found
    if is_list(value) and schema.keys:
        found = {}
        for each in value:
            at = (*path, element_key(each, schema))
            found[at] = PRESENT
            found |= flat(each, schema.items, at)
        return found
    if is_list(value) and schema.is_set:
        return {(*path, f"v:{json.dumps(each)}"): each for each in value}
    return {path: value} if path else {}


def element_key(element: Any, schema: Schema) -> str:
    """What names an element of a list that is owned by element."""
    keys = {key: element.get(key, schema.items.default(key)) for key in schema.keys}
    return "k:" + json.dumps({key: keys[key] for key in sorted(keys) if keys[key] is not None}, separators=(",", ":"))


def to_fields(owned: Iterable[Path]) -> Object:
    """Paths as `FieldsV1`."""
    root: Object = {}
    own = set(owned)
    for path in sorted(own):
        node = root
        for part in path:
            node = node.setdefault(part, {})
    for path in own:
        node = root
        for part in path:
            node = node[part]
        if node or path[-1].startswith("k:"):
            node["."] = {}
    return root


def from_fields(fields: Object, path: Path = ()) -> Owned:
    """Paths of a `FieldsV1`."""
    found: set[Path] = set()
    for part, below in fields.items():
        if part == ".":
            found.add(path)
        elif below:
            found |= from_fields(below, (*path, part))
        else:
            found.add((*path, part))
    return frozenset(found)


def shown(path: Path) -> str:
    """A path as the real server shows it: `.spec.containers[name="app"].image`."""
    text = ""
    for part in path:
        kind, _, rest = part.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "v":
            text += f"[={rest}]"
        else:
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
    return text


def remove(value: Any, schema: Schema, path: Path) -> None:
    """Remove a field in place, and the maps that this leaves empty; nothing if it is not there."""
    first, rest = path[0], path[1:]
    kind, _, name = first.partition(":")
    if kind == "f":
        if not is_object(value) or name not in value:
            return
        if rest:
            remove(value[name], schema.field(name), rest)
            if value[name] in ({}, []):
                del value[name]
        else:
            del value[name]
    elif is_list(value):
        for index, each in enumerate(value):
            if first in (f"v:{json.dumps(each)}", element_key(each, schema) if schema.keys else ""):
                if rest:
                    remove(each, schema.items, rest)
                else:
                    del value[index]
                return
