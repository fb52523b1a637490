"""The history of fields: who set what to what, when, and in which version of the record."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flotilla_kit import times
from flotilla_kit.effects import Effect
from sqlalchemy import Connection, Row, exists, insert, select

from ..records import RecordType
from ..schema import field_history

h = field_history.c


@dataclass(frozen=True)
class Origin:
    """Who makes a change, in which run, by which call, when, and why."""

    actor: str
    at: str
    run: str = ""
    digest: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, effect: Effect, reason: str | None = None) -> "Origin":
        """The caller of an effect, now."""
        return cls(effect.principal, times.now(), effect.run, effect.digest, reason)


@dataclass(frozen=True)
class FieldChange:
    """What one change set one field of a record to."""

    kind: RecordType
    record_id: str
    account_id: str | None
    version: int
    field: str
    old: Any
    new: Any


def write(conn: Connection, changes: Iterable[FieldChange], origin: Origin) -> None:
    """Add changes to the history, in order."""
    rows = [
        {
            "record_type": change.kind,
            "record_id": change.record_id,
            "account_id": change.account_id,
            "version": change.version,
            "field": change.field,
            "old": _json(change.old),
            "new": _json(change.new),
            "at": origin.at,
            "actor": origin.actor,
            "run": origin.run,
            "digest": origin.digest,
            "reason": origin.reason,
        }
        for change in changes
    ]
    if rows:
        conn.execute(insert(field_history), rows)


def made(conn: Connection, effect: Effect, kind: RecordType, record_id: str) -> bool:
    """Whether this very call, by this caller in this run, changed the record before."""
    same = (h.actor == effect.principal, h.run == effect.run, h.digest == effect.digest)
    of_record = (h.record_type == kind, h.record_id == record_id)
    return bool(conn.execute(select(exists().where(*of_record, *same))).scalar_one())


def since(conn: Connection, kind: RecordType, record_id: str, version: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """The last change of each field after a version of the record."""
    found = select(h.field, h.new, h.version, h.at, h.actor).where(
        h.record_type == kind, h.record_id == record_id, h.version > version
    )
    last = {row.field: row for row in conn.execute(found.order_by(h.history_key))}
    return list(last.values())


def replay(conn: Connection, kind: RecordType, record_id: str) -> tuple[int, Mapping[str, Any]]:
    """A record's version and fields as its history makes them, from nothing.

    Raises:
        ValueError: a change does not follow from those before it.
    """
    found = select(field_history).where(h.record_type == kind, h.record_id == record_id).order_by(h.history_key)
    state: dict[str, Any] = {}
    version = 0
    for row in conn.execute(found):
        if read_value(row.old) != state.get(row.field):
            raise ValueError(f"{kind} {record_id}: version {row.version} of {row.field} does not follow")
        state[row.field], version = read_value(row.new), row.version
    return version, state


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def read_value(said: str | None) -> Any:
    """What a row's `old` or `new` says."""
    return None if said is None else json.loads(said)
