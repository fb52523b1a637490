"""The bulk write: records of any kind into a tenant's accounts, each once however often they come."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, func, select, update

from ..records import Entity, Episode, Memory, Record, Relation
from ..schema import memories
from ..statements import Named, find_named
from . import accounts, entities, episodes, ids
from .memories import cite, content_of, insert_all, with_known_subjects
from .passages import resolve

m = memories.c
T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """How many records a write added, how many it extended, and how many were known."""

    added: int = 0
    changed: int = 0
    known: int = 0


def write(conn: Connection, tenant_id: str, records: Sequence[Record], now: str) -> Written:
    """Write records in the caller's transaction: episodes and memories before what refers to them.

    A memory is known by its external id, else by its content; what it conflicts with is for `remember` to say, as an
    import tells what its source believed.

    Raises:
        EpisodeChanged: an episode is known with other turns.
    """
    keys = accounts.lock(conn, tenant_id, {record.account_id for record in records})
    given = [(keys[record.account_id], record) for record in records]
    added = sum(entities.describe(conn, of, record) for of, record in given if isinstance(record, Entity))
    told = episodes.record_all(conn, [(of, record) for of, record in given if isinstance(record, Episode)], now)
    outcomes = Counter(outcome for _, outcome in told)
    added += outcomes["created"]
    added += _memories(conn, [(of, record) for of, record in given if isinstance(record, Memory)], now)
    added += sum(entities.relate(conn, of, record, now) for of, record in given if isinstance(record, Relation))
    return Written(added, outcomes["extended"], len(records) - added - outcomes["extended"])


def _memories(conn: Connection, given: Sequence[tuple[int, Memory]], now: str) -> int:
    """Insert the memories that are not known yet, then what each refers to; how many."""
    named: dict[Named, tuple[int, Memory]] = {}
    said: dict[Named, tuple[int, Memory]] = {}
    for of, memory in with_known_subjects(conn, given):
        if memory.external_id:
            named[of, memory.external_id] = of, memory
        else:
            said[of, content_of(memory)] = of, memory
    new = [*_unknown(conn, m.external_id, named), *_unknown(conn, m.content_hash, said, m.retired_at.is_(None))]
    keys = insert_all(conn, [(of, memory, ids.new("mem")) for of, memory in new], now)
    referring = defaultdict[int, list[tuple[int, Memory]]](list)
    for key, (of, memory) in zip(keys, new, strict=True):
        if memory.sources or memory.supersedes:
            referring[of].append((key, memory))
    for of, memories_ in referring.items():
        _refer(conn, of, memories_, now)
    return len(new)


def _unknown(
    conn: Connection, column: Column[Any], given: Mapping[Named, T], *conditions: ColumnElement[bool]
) -> list[T]:
    """What no memory has the name of, which is in this column."""
    wanted = select(m.account_key, column).where(*conditions)
    known = {(of, name) for of, name in find_named(conn, wanted, m.account_key, column, given.keys())}
    return [one for named, one in given.items() if named not in known]


def _refer(conn: Connection, account_key: int, written: Sequence[tuple[int, Memory]], now: str) -> None:
    """Citations and supersessions; a source that is not there is left out."""
    found = resolve(conn, account_key, [name for _, one in written for name in (*one.sources, *one.supersedes)])
    cited = {(key, found[name]) for key, memory in written for name in memory.sources if found.get(name, key) != key}
    cite(conn, account_key, cited)
    for key, memory in written:
        for name in memory.supersedes:
            if found.get(name, key) != key:
                # What an export says was superseded is retired already.
                retired_at = func.coalesce(m.retired_at, memory.recorded_at or now)
                superseded = update(memories).where(m.passage_key == found[name], m.superseded_by.is_(None))
                conn.execute(superseded.values(retired_at=retired_at, superseded_by=key))
