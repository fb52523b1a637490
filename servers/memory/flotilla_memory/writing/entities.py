"""Writes of entities, their aliases and the relations between them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flotilla_kit.storage.statements import chunks, insert_new
from sqlalchemy import Connection, insert, select

from ..records import Entity, Relation
from ..retrieval import words
from ..schema import aliases, entities, evidence, relations
from ..statements import Named, find_named, insert_keyed
from . import ids
from .passages import resolve

e, a, r = entities.c, aliases.c, relations.c


def find_or_make(conn: Connection, names: Mapping[Named, str | None]) -> dict[Named, int]:
    """The entities of locked accounts with these names; what has none yet is made.

    Args:
        names: to the type that a new one gets.
    """
    by_name = {(of, name): (of, alias) for of, name in names if (alias := words.folded(name))}
    known = {named: min(keys) for named, keys in _called(conn, by_name.values()).items()}
    new = {alias: named for named, alias in reversed(by_name.items()) if alias not in known}
    if new:
        rows = [
            {"entity_id": ids.new("ent"), "account_key": of, "name": name.strip(), "type": names[of, name]}
            for of, name in new.values()
        ]
        made = dict(zip(new, insert_keyed(conn, entities, rows), strict=True))
        _call(conn, made.items())
        known |= made
    return {named: known[alias] for named, alias in by_name.items()}


def names_of(conn: Connection, names: Collection[Named]) -> dict[Named, str]:
    """What the entities that are also called so are called; the name itself where it is nobody's, or several ones'."""
    by_name = {(of, name): (of, words.folded(name)) for of, name in names}
    called = _called(conn, by_name.values())
    keys = {named: next(iter(found)) for named, alias in by_name.items() if len(found := called.get(alias, ())) == 1}
    spelled: dict[int, str] = {}
    for some in chunks(sorted(set(keys.values()))):
        spelled |= {
            int(key): str(name)
            for key, name in conn.execute(select(e.entity_key, e.name).where(e.entity_key.in_(some)))
        }
    return {(of, name): spelled[keys[of, name]] if (of, name) in keys else name for of, name in names}


def describe(conn: Connection, account_key: int, entity: Entity) -> bool:
    """Write an entity with its aliases; whether it, or one of them, is new."""
    if not words.folded(entity.name):
        return False  # a name of nothing but marks
    before = _called(conn, [(account_key, words.folded(entity.name))])
    named = account_key, entity.name
    key = find_or_make(conn, {named: entity.type})[named]
    if entity.type and before:
        conn.execute(entities.update().where(e.entity_key == key, e.type.is_(None)).values(type=entity.type))
    given = [((account_key, alias), key) for name in entity.aliases if (alias := words.folded(name))]
    return _call(conn, given) or not before


def relate(conn: Connection, account_key: int, relation: Relation, now: str, also: Sequence[int] = ()) -> bool:
    """Write a relation with its evidence, once while it is believed; whether it is new.

    Args:
        also: passages that are evidence beside the relation's sources.
    """
    subject, object_ = (account_key, relation.subject), (account_key, relation.object)
    ends = find_or_make(conn, {subject: None, object_: None})
    if subject not in ends or object_ not in ends:
        return False  # a name of nothing but marks
    known = conn.execute(
        select(r.relation_key).where(
            r.subject_key == ends[subject],
            r.object_key == ends[object_],
            r.predicate == relation.predicate,
            r.retired_at.is_(None),
        )
    ).scalar()
    key = known
    if key is None:
        row: dict[str, Any] = {
            "account_key": account_key,
            "subject_key": ends[subject],
            "predicate": relation.predicate,
            "object_key": ends[object_],
            "valid_from": relation.valid_from,
            "valid_to": relation.valid_to,
            "recorded_at": now,
        }
        key = conn.execute(insert(relations).returning(r.relation_key), row).scalar_one()
    passages = {*also, *resolve(conn, account_key, relation.sources).values()}
    insert_new(
        conn,
        evidence,
        [{"relation_key": key, "passage_key": passage, "account_key": account_key} for passage in sorted(passages)],
    )
    return known is None


def _called(conn: Connection, folded: Collection[Named]) -> dict[Named, set[int]]:
    """The entities that are called so; several may be called the same."""
    found = defaultdict[Named, set[int]](set)
    wanted = select(a.account_key, a.alias, a.entity_key)
    for of, alias, key in find_named(conn, wanted, a.account_key, a.alias, set(folded)):
        found[of, alias].add(key)
    return found


def _call(conn: Connection, given: Collection[tuple[Named, int]]) -> bool:
    rows = [{"account_key": of, "alias": alias, "entity_key": key} for (of, alias), key in given]
    return insert_new(conn, aliases, rows) > 0
