"""Writes of memories: created, known already, or in conflict with what is believed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flotilla_kit.errors import NotFound
from sqlalchemy import Connection, insert, or_, select, update

from ..records import Memory
from ..retrieval import words
from ..schema import citations, memories, passages
from . import entities, ids
from .passages import add, resolve

m, p = memories.c, passages.c
MOST_CONFLICTS = 5  # that are named; nearly always there is one


@dataclass(frozen=True)
class Remembered:
    """What became of a memory; `conflicts_with` and `superseded` are passage ids."""

    outcome: Literal["created", "duplicate", "conflict"]
    memory_id: str | None
    conflicts_with: Sequence[str] = ()
    superseded: Sequence[str] = ()
    passage_key: int | None = field(default=None, compare=False)


def remember(conn: Connection, account_key: int, memory: Memory, now: str) -> Remembered:
    """Write a memory of a locked account, unless it is known or contradicts what is believed.

    A commitment contradicts itself with another status or day: which of the two holds is for the caller to say.

    Raises:
        NotFound: a source, or what it supersedes, is not there. Nothing was written.
    """
    ((_, memory),) = with_known_subjects(conn, [(account_key, memory)])
    sources = _resolved(conn, account_key, memory.sources, "source")
    replaced = _resolved(conn, account_key, memory.supersedes, "memory to supersede")
    content = content_of(memory)
    known = conn.execute(
        select(p.passage_id, m.passage_key)
        .join(memories, m.passage_key == p.passage_key)
        .where(m.account_key == account_key, m.content_hash == content, m.retired_at.is_(None))
    ).first()
    if known is not None and known.passage_key not in replaced:
        return Remembered("duplicate", known.passage_id, passage_key=known.passage_key)
    if conflicts := _conflicts(conn, account_key, memory, replaced):
        return Remembered("conflict", None, conflicts_with=conflicts[:MOST_CONFLICTS])
    memory_id = ids.new("mem")
    (key,) = insert_all(conn, [(account_key, memory, memory_id)], now)
    if replaced:
        retire(conn, replaced, now, memory.valid_from, key)
    cite(conn, account_key, {(key, source) for source in sources})
    return Remembered("created", memory_id, superseded=memory.supersedes, passage_key=key)


def with_known_subjects(conn: Connection, given: Sequence[tuple[int, Memory]]) -> list[tuple[int, Memory]]:
    """Memories, each with the key of its account, whose subjects are called as their entities are."""
    names = entities.names_of(conn, {(of, memory.subject) for of, memory in given if memory.subject})
    return [
        (of, replace(memory, subject=name)) if (name := names.get((of, memory.subject or ""))) else (of, memory)
        for of, memory in given
    ]


def insert_all(conn: Connection, given: Sequence[tuple[int, Memory, str]], now: str) -> list[int]:
    """Insert memories as they are, each with the key of its account and its id; their passages' keys, in order."""
    entities.find_or_make(conn, {(of, memory.subject): None for of, memory, _ in given if memory.subject})
    keys = add(
        conn,
        [
            {
                "passage_id": memory_id,
                "account_key": of,
                "kind": memory.kind,
                "episode_key": None,
                "position": None,
                "speaker": memory.subject,
                "text": memory.text,
                "occurred_at": memory.occurred_at or memory.valid_from or memory.recorded_at or now,
            }
            for of, memory, memory_id in given
        ],
    )
    rows: list[dict[str, Any]] = [
        {
            "passage_key": key,
            "account_key": of,
            "attribute": memory.attribute,
            "valid_from": memory.valid_from,
            "valid_to": memory.valid_to,
            "recorded_at": memory.recorded_at or now,
            "retired_at": memory.retired_at,
            "content_hash": content_of(memory),
            "confidence": memory.confidence,
            "due_on": memory.due_on,
            "status": status_of(memory),
            "external_id": memory.external_id,
        }
        for key, (of, memory, _) in zip(keys, given, strict=True)
    ]
    if rows:
        conn.execute(insert(memories), rows)
    return keys


def retire(conn: Connection, keys: Sequence[int], now: str, valid_to: str | None = None, by: int | None = None) -> None:
    """End the belief in these memories, and their validity where it was open.

    Their validity does not end in the past: until now it was believed to go on, and `as_of` says so.
    """
    end = max(valid_to or now, now)
    believed = (m.passage_key.in_(keys), m.retired_at.is_(None))
    conn.execute(
        update(memories)
        .where(*believed, or_(m.valid_to.is_(None), m.valid_to > end), or_(m.valid_from.is_(None), m.valid_from < end))
        .values(valid_to=end)
    )
    conn.execute(update(memories).where(*believed).values(retired_at=now, superseded_by=by))


def content_of(memory: Memory) -> str:
    """By which a memory said again is known; a commitment's state is part of what is said."""
    said = (memory.kind, memory.subject, memory.attribute, memory.text)
    return ids.content_hash(*said, status_of(memory), memory.due_on)


def status_of(memory: Memory) -> str | None:
    """Of a commitment, which is open until somebody says otherwise."""
    return (memory.status or "open") if memory.kind == "commitment" else None


def _resolved(conn: Connection, account_key: int, names: Sequence[str], noun: str) -> list[int]:
    found = resolve(conn, account_key, names) if names else {}
    for name in names:
        if name not in found:
            raise NotFound(f"There is no such {noun}.", suggestion="Pass ids as search answers have them.")
    return [found[name] for name in dict.fromkeys(names)]


def _conflicts(conn: Connection, account_key: int, memory: Memory, replaced: Sequence[int]) -> list[str]:
    """What is believed of the same subject, is not replaced, and contradicts the memory."""
    if not memory.attribute and memory.kind != "commitment":
        return []
    believed = (
        select(p.passage_id, p.text)
        .join(memories, m.passage_key == p.passage_key)
        .where(
            m.account_key == account_key,
            m.retired_at.is_(None),
            p.speaker == memory.subject if memory.subject else p.speaker.is_(None),
            m.passage_key.not_in(replaced),
        )
        .order_by(p.passage_key)
    )
    if not memory.attribute:  # the same promise with another status or day
        said = words.folded(memory.text)
        rows = conn.execute(believed.where(m.status.is_not(None)))
        return [str(passage_id) for passage_id, text in rows if words.folded(text) == said]
    believed = believed.where(m.attribute == memory.attribute)  # at an overlapping time
    if memory.valid_to:
        believed = believed.where(or_(m.valid_from.is_(None), m.valid_from < memory.valid_to))
    if memory.valid_from:
        believed = believed.where(or_(m.valid_to.is_(None), m.valid_to > memory.valid_from))
    return [str(passage_id) for passage_id, _ in conn.execute(believed)]


def cite(conn: Connection, account_key: int, pairs: Collection[tuple[int, int]]) -> None:
    """Note of new memories, by their passages, what they rest on."""
    rows = [{"passage_key": key, "source_key": source, "account_key": account_key} for key, source in sorted(pairs)]
    if rows:
        conn.execute(insert(citations), rows)
