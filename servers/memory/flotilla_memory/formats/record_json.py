"""Records as JSON objects that say all of them, for our own exports: `{"record": "memory", "text": …, …}`."""

from dataclasses import asdict, fields
from functools import cache
from typing import Any, cast

from flotilla_kit.imports import BadRow
from pydantic import TypeAdapter, ValidationError

from ..records import Entity, Episode, Memory, Record, Relation
from . import values
from .values import Object

_KINDS: dict[str, type[Any]] = {"episode": Episode, "memory": Memory, "entity": Entity, "relation": Relation}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_TIMES = ("occurred_at", "valid_from", "valid_to", "recorded_at", "retired_at")


def dump(record: Record) -> Object:
    """A record as JSON, without what it does not say."""
    said = {key: value for key, value in asdict(record).items() if value not in (None, ())}
    return {"record": _NAMES[type(record)], **said}


def load(value: Object) -> Record:
    """The record that a JSON object says.

    Raises:
        BadRow: it is none.
    """
    kind = value.get("record")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadRow("this is no episode, memory, entity or relation", column="record")
    try:
        return cast(Record, _adapter(kind).validate_python(_as_kept(value, _KINDS[kind])))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRow(f"{where}: {first['msg']}", column=where) from None


@cache  # and not at every start of the server
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter[Any](_KINDS[kind])


def _as_kept(value: Object, kind: type[Any]) -> Object:
    """Text and times as the store keeps them, wherever they stand."""
    known = {field.name for field in fields(kind)}
    kept = {key: _clean(item) for key, item in value.items() if key in known}
    for column in _TIMES:
        if column in kept:
            kept[column] = values.instant(kept[column], column)
    if "turns" in kept:
        turns = values.objects(kept["turns"], "turns")
        kept["turns"] = [
            {"speaker": None, **turn, "occurred_at": values.instant(turn.get("occurred_at"), "turns")} for turn in turns
        ]
    return kept


def _clean(item: object) -> Any:
    if isinstance(item, str):
        return values.clean(item)
    if isinstance(item, list):
        return [_clean(each) for each in cast("list[object]", item)]
    if isinstance(item, dict):
        return {key: _clean(each) for key, each in cast(Object, item).items()}
    return item
