"""The records that a store holds, account by account, as `writing.write` takes them: read a few hundred at a time.

What has no external id has its own id for one, by which it is cited, and known again when it is imported. A turn is
cited as `…:3`, the third of its episode.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from ..records import Entity, Episode, Memory, Record, Relation, Turn
from ..retrieval import words
from ..schema import accounts, aliases, citations, entities, episodes, evidence, memories, passages, relations

_AT_ONCE = 400
_TURN = "turn"


def count(connection: Connection, tenant_id: str, account_id: str | None) -> int:
    """How many records `read` answers."""
    keys = select(accounts.c.account_key).where(*_scope(tenant_id, account_id))
    tables = (episodes, memories, entities, relations)
    counts = [select(func.count()).select_from(table).where(table.c.account_key.in_(keys)) for table in tables]
    return sum(connection.execute(query).scalar_one() for query in counts)


def read(connection: Connection, tenant_id: str, account_id: str | None) -> Iterator[Record]:
    """Every record of a tenant's accounts, or of one: what is cited before what cites it."""
    found = select(accounts).where(*_scope(tenant_id, account_id)).order_by(accounts.c.account_id)
    for account in connection.execute(found).all():
        key, named = account.account_key, account.account_id
        yield from _entities(connection, key, named)
        yield from _episodes(connection, key, named)
        yield from _memories(connection, key, named)
        yield from _relations(connection, key, named)


def _scope(tenant_id: str, account_id: str | None) -> list[Any]:
    ours = [accounts.c.tenant_id == tenant_id]
    return ours if account_id is None else [*ours, accounts.c.account_id == account_id]


def _pages(connection: Connection, query: Select[*tuple[Any, ...]], key: Any) -> Iterator[Sequence[Any]]:
    """The rows of a query in the order of a key, a page at a time."""
    last = -1
    while page := connection.execute(query.where(key > last).order_by(key).limit(_AT_ONCE)).all():
        yield page
        last = getattr(page[-1], key.name)


def _episodes(connection: Connection, key: int, account_id: str) -> Iterator[Episode]:
    query = select(episodes).where(episodes.c.account_key == key)
    for page in _pages(connection, query, episodes.c.episode_key):
        turns = defaultdict[int, list[Turn]](list)
        of_page = passages.c.episode_key.in_([row.episode_key for row in page])
        wanted = select(passages).where(of_page, passages.c.kind == _TURN)
        times = {row.episode_key: row.occurred_at for row in page}
        for row in connection.execute(wanted.order_by(passages.c.episode_key, passages.c.position)):
            at = None if row.occurred_at == times[row.episode_key] else row.occurred_at
            turns[row.episode_key].append(Turn(row.speaker, row.text, at))
        for row in page:
            yield Episode(
                account_id,
                row.channel,
                row.occurred_at,
                tuple(turns[row.episode_key]),
                row.title,
                row.external_id or row.episode_id,
                row.uri,
            )


def _entities(connection: Connection, key: int, account_id: str) -> Iterator[Entity]:
    query = select(entities).where(entities.c.account_key == key)
    for page in _pages(connection, query, entities.c.entity_key):
        called = defaultdict[int, list[str]](list)
        of_page = aliases.c.entity_key.in_([row.entity_key for row in page])
        for row in connection.execute(select(aliases).where(of_page).order_by(aliases.c.alias)):
            called[row.entity_key].append(row.alias)
        for row in page:
            own = words.folded(row.name)
            yield Entity(account_id, row.name, row.type, tuple(a for a in called[row.entity_key] if a != own))


def _memories(connection: Connection, key: int, account_id: str) -> Iterator[Memory]:
    joined = passages.join(memories, memories.c.passage_key == passages.c.passage_key)
    m, p = memories.c, passages.c
    query = (
        select(p.passage_key, p.passage_id, p.kind, p.speaker, p.text, p.occurred_at, *_beyond_its_passage())
        .select_from(joined)
        .where(p.account_key == key)
    )
    for page in _pages(connection, query, p.passage_key):
        keys = [row.passage_key for row in page]
        sources = _cited(connection, citations.c.passage_key, citations.c.source_key, keys)
        superseded = _cited(connection, m.superseded_by, m.passage_key, keys)
        for row in page:
            yield Memory(
                account_id,
                row.kind,
                row.text,
                subject=row.speaker,
                attribute=row.attribute,
                occurred_at=row.occurred_at,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                recorded_at=row.recorded_at,
                retired_at=row.retired_at,
                confidence=row.confidence,
                due_on=row.due_on,
                status=row.status,
                sources=tuple(sources[row.passage_key]),
                supersedes=tuple(superseded[row.passage_key]),
                external_id=row.external_id or row.passage_id,
            )


def _relations(connection: Connection, key: int, account_id: str) -> Iterator[Relation]:
    subject, object_ = entities.alias("subject"), entities.alias("object")
    query = (
        select(relations, subject.c.name.label("subject"), object_.c.name.label("object"))
        .join(subject, subject.c.entity_key == relations.c.subject_key)
        .join(object_, object_.c.entity_key == relations.c.object_key)
        # What is no longer believed has no place in a relation that is written.
        .where(and_(relations.c.account_key == key, relations.c.retired_at.is_(None)))
    )
    for page in _pages(connection, query, relations.c.relation_key):
        keys = [row.relation_key for row in page]
        sources = _cited(connection, evidence.c.relation_key, evidence.c.passage_key, keys)
        for row in page:
            yield Relation(
                account_id,
                row.subject,
                row.predicate,
                row.object,
                row.valid_from,
                row.valid_to,
                tuple(sources[row.relation_key]),
            )


def _beyond_its_passage() -> list[Any]:
    names = ("attribute", "valid_from", "valid_to", "recorded_at", "retired_at", "confidence", "due_on", "status")
    return [memories.c[name] for name in (*names, "external_id")]


def _cited(connection: Connection, by: Any, passage: Any, keys: list[int]) -> dict[int, list[str]]:
    """By the key of what cites: the passages that it cites, as an import finds them again."""
    p, m, e = passages.c, memories.c, episodes.c
    joined = by.table.join(passages, p.passage_key == passage).outerjoin(episodes, e.episode_key == p.episode_key)
    if by.table is not memories:
        joined = joined.outerjoin(memories, m.passage_key == p.passage_key)
    of_episode, of_memory = e.external_id.label("of_episode"), m.external_id.label("of_memory")
    columns = [by.label("citing"), p.passage_id, p.position, of_episode, e.episode_id, of_memory]
    found = defaultdict[int, list[str]](list)
    for row in connection.execute(select(*columns).select_from(joined).where(by.in_(keys)).order_by(p.passage_key)):
        if row.episode_id is not None:
            found[row.citing].append(f"{row.of_episode or row.episode_id}:{row.position}")
        else:
            found[row.citing].append(row.of_memory or row.passage_id)
    return found
