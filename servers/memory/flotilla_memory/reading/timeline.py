"""An account's episodes and memories in the order of their times, newest first."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, null, or_, select, union_all

from ..models import TimelineEntry
from ..retrieval.reads import believed, through
from ..schema import episodes, memories, passages

p, m, e = passages.c, memories.c, episodes.c
EPISODE = "episode"
Position = tuple[str, str]
"""Time and id of an entry."""


def timeline(
    conn: Connection,
    account_key: int,
    since: str | None,
    until: str | None,
    kinds: frozenset[str] | None,
    now: str,
    after: Position | None,
    limit: int,
    longest: int,
) -> list[TimelineEntry]:
    """Entries after a position; `kinds` are those of memories, and `episode`."""
    parts: list[Select[*tuple[Any, ...]]] = []
    if kinds is None or EPISODE in kinds:
        parts.append(
            select(
                e.occurred_at,
                e.episode_id.label("id"),
                null().label("passage_key"),
                e.episode_key,
            ).where(e.account_key == account_key, *_within(e.occurred_at, e.episode_id, since, until, after))
        )
    wanted = None if kinds is None else sorted(kinds - {EPISODE, "turn"})
    if wanted is None or wanted:
        parts.append(
            select(p.occurred_at, p.passage_id.label("id"), p.passage_key, null().label("episode_key"))
            .join(memories, m.passage_key == p.passage_key)
            .where(
                m.account_key == account_key,
                believed(now),
                *([] if wanted is None else [p.kind.in_(wanted)]),
                *_within(p.occurred_at, p.passage_id, since, until, after),
            )
        )
    if not parts:
        return []
    found = union_all(*parts).subquery()
    rows = conn.execute(select(found).order_by(found.c.occurred_at.desc(), found.c.id.desc()).limit(limit)).all()
    of_episodes = _episodes(conn, [row.episode_key for row in rows if row.episode_key is not None], longest)
    of_memories = _memories(conn, [row.passage_key for row in rows if row.passage_key is not None], longest)
    return [
        of_episodes[row.episode_key] if row.episode_key is not None else of_memories[row.passage_key] for row in rows
    ]


def _within(
    at: ColumnElement[str], identifier: ColumnElement[str], since: str | None, until: str | None, after: Position | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if since:
        conditions.append(at >= since)
    if until:
        conditions.append(through(at, until))
    if after:
        conditions.append(or_(at < after[0], (at == after[0]) & (identifier < after[1])))
    return conditions


def _episodes(conn: Connection, keys: list[int], longest: int) -> dict[int, TimelineEntry]:
    of_each = select(p.episode_key, func.count()).where(p.episode_key.in_(keys)).group_by(p.episode_key)
    counts = {int(key): int(turns) for key, turns in conn.execute(of_each)}
    rows = conn.execute(
        select(episodes, p.text, p.speaker)
        .outerjoin(passages, (p.episode_key == e.episode_key) & (p.position == 1))
        .where(e.episode_key.in_(keys))
    )
    return {
        row.episode_key: TimelineEntry(
            id=row.episode_id,
            kind=EPISODE,
            occurred_at=row.occurred_at,
            text=(row.text or "")[:longest],
            truncated=len(row.text or "") > longest or None,
            by=row.speaker,
            turns=counts.get(row.episode_key, 0),
            channel=row.channel,
            title=row.title,
        )
        for row in rows
    }


def _memories(conn: Connection, keys: list[int], longest: int) -> dict[int, TimelineEntry]:
    rows = conn.execute(
        select(p.passage_key, p.passage_id, p.kind, p.occurred_at, p.text, p.speaker, m.valid_to)
        .join(memories, m.passage_key == p.passage_key)
        .where(p.passage_key.in_(keys))
    )
    return {
        row.passage_key: TimelineEntry(
            id=row.passage_id,
            kind=row.kind,
            occurred_at=row.occurred_at,
            text=row.text[:longest],
            truncated=len(row.text) > longest or None,
            by=row.speaker,
            valid_to=row.valid_to,
        )
        for row in rows
    }
