"""Who and what an entity is related to, one or two steps away."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, or_, select

from ..models import RelatedEntity
from ..retrieval import words
from ..schema import aliases, entities, evidence, passages, relations

e, r = entities.c, relations.c
MOST_EVIDENCE = 5  # passages that are named for a relation


def find_entities(conn: Connection, account_key: int, entity: str) -> list[int]:
    """The entities of an account with that id or name; several may be called the same."""
    if entity.startswith("ent_"):
        found = select(e.entity_key).where(e.account_key == account_key, e.entity_id == entity)
    else:
        a = aliases.c
        found = select(a.entity_key).where(a.account_key == account_key, a.alias == words.folded(entity))
    return sorted(int(key) for key in conn.execute(found).scalars())


def related(conn: Connection, account_key: int, entity: str, depth: int, now: str, limit: int) -> list[RelatedEntity]:
    """Each entity within reach once, nearest first, by the relations that hold now."""
    start = find_entities(conn, account_key, entity)
    seen, frontier = set(start), set(start)
    answer: list[RelatedEntity] = []
    for level in range(1, depth + 1):
        steps = _steps(conn, account_key, frontier, now)
        names = _described(conn, {key for _, _, one, other, _, _ in steps for key in (one, other)})
        cited = _evidence(conn, [key for key, *_ in steps])
        frontier = set[int]()
        for key, predicate, one, other, valid_from, valid_to in steps:
            # From either end: `works at` to the company, `works at (from)` to the person.
            for near, far, said in ((one, other, predicate), (other, one, f"{predicate} (from)")):
                if near in seen and far not in seen | frontier:
                    frontier.add(far)
                    entity_id, name, kind = names[far]
                    answer.append(
                        RelatedEntity(
                            entity_id=entity_id,
                            name=name,
                            type=kind,
                            relation=said,
                            via=names[near][1],
                            depth=level,
                            valid_from=valid_from,
                            valid_to=valid_to,
                            evidence=cited.get(key, [])[:MOST_EVIDENCE],
                        )
                    )
        seen |= frontier
        if not frontier or len(answer) >= limit:
            break
    return answer[:limit]


Step = tuple[int, str, int, int, str | None, str | None]


def _steps(conn: Connection, account_key: int, keys: Collection[int], now: str) -> list[Step]:
    found = (
        select(r.relation_key, r.predicate, r.subject_key, r.object_key, r.valid_from, r.valid_to)
        .where(
            r.account_key == account_key,
            or_(r.subject_key.in_(keys), r.object_key.in_(keys)),
            r.retired_at.is_(None),
            or_(r.valid_to.is_(None), r.valid_to > now),
        )
        .order_by(r.relation_key)
    )
    return [(*row,) for row in conn.execute(found)]


def _described(conn: Connection, keys: Collection[int]) -> dict[int, tuple[str, str, str | None]]:
    found = select(e.entity_key, e.entity_id, e.name, e.type).where(e.entity_key.in_(keys))
    return {int(key): (entity_id, name, kind) for key, entity_id, name, kind in conn.execute(found)}


def _evidence(conn: Connection, keys: Collection[int]) -> dict[int, list[str]]:
    cited: dict[int, list[str]] = defaultdict(list)
    of = evidence.c
    found = (
        select(of.relation_key, passages.c.passage_id)
        .join(passages, passages.c.passage_key == of.passage_key)
        .where(of.relation_key.in_(keys))
        .order_by(of.relation_key, of.passage_key)
    )
    for key, passage_id in conn.execute(found):
        cited[int(key)].append(str(passage_id))
    return cited
