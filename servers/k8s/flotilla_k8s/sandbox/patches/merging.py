"""Merges: JSON merge patches, strategic merge patches, and what server-side apply merges."""

from typing import Any

from ..objects import Object, copied, elements, is_list, is_object, members
from ..schemas import Schema
from ..status import bad_request
from .fields import element_key

_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


def merge(value: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not is_object(patch):
        return copied(patch)
    result = dict(members(value))
    for key, each in members(patch).items():
        if each is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), each)
    return result


def merge_strategic(value: Any, patch: Object, schema: Schema) -> Object:
    """A strategic merge patch of one object.

    Raises:
        ApiError: 400, an element of a list has no merge key, or a directive is unknown.
    """
    result: Object = dict(members(value))
    directive = patch.get("$patch")
    if directive == "replace":
        return copied({key: each for key, each in patch.items() if key != "$patch"})
    if directive == "delete":
        return {}
    for key, each in patch.items():
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            result[name] = [one for one in elements(result.get(name)) if one not in each]
    for key, each in patch.items():
        below = schema.field(key)
        if key.startswith("$"):
            continue
        if each is None:
            result.pop(key, None)
        elif is_object(each):
            result[key] = merge_strategic(result.get(key), members(each), below)
        elif is_list(each) and below.merge_key:
            result[key] = _merge_list(elements(result.get(key)), elements(each), below)
        elif is_list(each) and below.merges_list:
            present = elements(result.get(key))
            result[key] = [*present, *(one for one in elements(each) if one not in present)]
        else:
            result[key] = copied(each)
    for key, order in patch.items():
        if key.startswith(_ORDER) and key.removeprefix(_ORDER) in result:
            name = key.removeprefix(_ORDER)
            result[name] = _ordered(result[name], order, schema.field(name))
    if "$retainKeys" in patch:
        result = {key: each for key, each in result.items() if key in patch["$retainKeys"]}
    return result


def _merge_list(present: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    key = schema.merge_key or ""
    if any(each.get("$patch") == "replace" and len(each) == 1 for each in patch):
        return [copied(each) for each in patch if each.get("$patch") != "replace"]
    result: list[Any] = list(present)
    for each in patch:
        if key not in each:
            raise bad_request(f"map: {each} does not contain declared merge key: {key}")
        index = next((at for at, one in enumerate(result) if one.get(key) == each[key]), None)
        if each.get("$patch") == "delete":
            result = [one for one in result if one.get(key) != each[key]]
        elif index is None:
            result.append(merge_strategic({}, each, schema.items))
        else:
            result[index] = merge_strategic(result[index], each, schema.items)
    return result


def _ordered(value: list[Any], order: list[Any], schema: Schema) -> list[Any]:
    """The elements in the order given; those it does not name stay behind them."""
    key = schema.merge_key
    places = [each.get(key) if key else each for each in order]
    own = [each.get(key) if key else each for each in value]
    ranks = [places.index(each) if each in places else len(places) for each in own]
    return [value[at] for at in sorted(range(len(value)), key=ranks.__getitem__)]


def merge_applied(live: Any, configuration: Any, schema: Schema) -> Any:
    """What an apply makes of the live value, before fields that are applied no longer are removed."""
    if is_object(configuration) and not schema.is_atomic:
        result = copied(members(live))
        for key, each in members(configuration).items():
            result[key] = merge_applied(result.get(key), each, schema.field(key))
        return result
    if is_list(configuration) and schema.keys:
        found = {element_key(each, schema): each for each in elements(live)}
        for each in elements(configuration):
            key = element_key(each, schema)
            found[key] = merge_applied(found.get(key), each, schema.items)
        return [copied(each) for each in found.values()]
    if is_list(configuration) and schema.is_set:
        present = elements(live)
        return [*present, *(each for each in elements(configuration) if each not in present)]
    return copied(configuration)
