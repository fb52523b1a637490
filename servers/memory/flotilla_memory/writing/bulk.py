"""The bulk write: records of any kind into a tenant's accounts, each once however often they come."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from ..records import Entity, Episode, Memory, Record, Relation
from ..schema import memories
from ..statements import chunks
from . import accounts, entities, episodes, ids
from .memories import cite, content_of, insert_all
from .passages import resolve

m = memories.c


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
    added = changed = 0
    by_account: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        by_account[keys[record.account_id]].append(record)
    for account_key, given in by_account.items():
        for record in given:
            if isinstance(record, Entity):
                added += entities.describe(conn, account_key, record)
        for record in given:
            if isinstance(record, Episode):
                outcome = episodes.record(conn, account_key, record, now)[1]
                added += outcome == "created"
                changed += outcome == "extended"
        added += _memories(conn, account_key, [record for record in given if isinstance(record, Memory)], now)
        for record in given:
            if isinstance(record, Relation):
                added += entities.relate(conn, account_key, record, now)
    return Written(added, changed, len(records) - added - changed)


def _memories(conn: Connection, account_key: int, given: Sequence[Memory], now: str) -> int:
    """Insert the memories that are not known yet, then what each refers to; how many."""
    new = {_identity(memory): memory for memory in given}
    for some in chunks([memory.external_id for memory in new.values() if memory.external_id]):
        known = select(m.external_id).where(m.account_key == account_key, m.external_id.in_(some))
        for external_id in conn.execute(known).scalars():
            del new["id", external_id]
    for some in chunks([content for kind, content in new if kind == "content"]):
        said = select(m.content_hash).where(
            m.account_key == account_key, m.content_hash.in_(some), m.retired_at.is_(None)
        )
        for content in set(conn.execute(said).scalars()):
            del new["content", content]
    if not new:
        return 0
    fresh = list(new.values())
    keys = insert_all(conn, account_key, [(memory, ids.new("mem")) for memory in fresh], now)
    _refer(conn, account_key, list(zip(keys, fresh, strict=True)), now)
    return len(fresh)


def _identity(memory: Memory) -> tuple[str, str]:
    return ("id", memory.external_id) if memory.external_id else ("content", content_of(memory))


def _refer(conn: Connection, account_key: int, written: Sequence[tuple[int, Memory]], now: str) -> None:
    """Citations and supersessions; a source that is not there is left out."""
    names = [name for _, memory in written for name in (*memory.sources, *memory.supersedes)]
    if not names:
        return
    found = resolve(conn, account_key, names)
    cited = {(key, found[name]) for key, memory in written for name in memory.sources if found.get(name, key) != key}
    cite(conn, account_key, cited)
    for key, memory in written:
        for name in memory.supersedes:
            if found.get(name, key) != key:
                # What an export says was superseded is retired already.
                retired_at = func.coalesce(m.retired_at, memory.recorded_at or now)
                superseded = update(memories).where(m.passage_key == found[name], m.superseded_by.is_(None))
                conn.execute(superseded.values(retired_at=retired_at, superseded_by=key))
