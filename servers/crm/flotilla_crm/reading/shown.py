"""A record as a caller sees it: the fields that were asked for and may be read, long texts cut."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flotilla_kit.errors import InvalidArguments
from flotilla_kit.paging import answer_bytes
from sqlalchemy import RowMapping

from ..access import Access
from ..models import Record
from ..records import Type

LONGEST = 500  # characters of a text in a list
TRUNCATED = "truncated"


def chosen(kind: Type, access: Access, fields: Sequence[str] | None, default: Iterable[str] | None = None) -> list[str]:
    """The fields to show: those that were asked for, else the terse ones or `default`; without what cannot be read.

    Raises:
        InvalidArguments: one that was asked for is none.
    """
    wanted = list(fields) if fields is not None else list(kind.terse if default is None else default)
    extra = {*kind.always, "created_at", "updated_at", "pipeline_id"}
    if unknown := [name for name in wanted if name not in kind.by_name and name not in extra]:
        raise InvalidArguments(
            f"fields has {len(unknown)} that a {kind.name} does not have.",
            suggestion=f"Its fields: {', '.join(kind.by_name)}.",
        )
    shown = [name for name in wanted if name not in kind.by_name or access.may_read(kind.name, name)]
    return list(dict.fromkeys([*kind.always, *shown]))


def hidden(kind: Type, access: Access, fields: Iterable[str]) -> list[str]:
    """Those of the fields that cannot be read."""
    return [name for name in fields if name in kind.by_name and not access.may_read(kind.name, name)]


def show(row: Mapping[str, Any] | RowMapping, fields: Iterable[str], longest: int | None = LONGEST) -> Record:
    """The fields that have a value; a text that is longer than `longest` is cut, and `truncated` names its field."""
    shown: Record = {}
    cut: list[str] = []
    for name in fields:
        value = row[name]
        if value is None:
            continue
        if name == "done":
            value = bool(value)
        if longest is not None and isinstance(value, str) and len(value) > longest:
            value = value[:longest]
            cut.append(name)
        shown[name] = value
    return {**shown, TRUNCATED: cut} if cut else shown


def shorter(record: Record, room: int) -> Record:
    """A record that fits: its texts cut to ever less."""
    longest = LONGEST
    while answer_bytes(record) > room and longest > 20:
        longest //= 2
        texts = {name: value for name, value in record.items() if isinstance(value, str) and len(value) > longest}
        cut = sorted({*record.get(TRUNCATED, []), *texts})
        record = {**record, **{name: value[:longest] for name, value in texts.items()}, TRUNCATED: cut}
    return record
