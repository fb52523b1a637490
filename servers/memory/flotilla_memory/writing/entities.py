"""Writes of entities, their aliases and the relations between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from ..records import Entity, Relation
from ..retrieval import words
from ..schema import aliases, entities, evidence, relations
from ..statements import chunks, insert_new
from . import ids
from .passages import resolve

e, a, r = entities.c, aliases.c, relations.c


def find_or_make(conn: Connection, account_key: int, names: Mapping[str, str | None]) -> dict[str, int]:
    """The entities of a locked account with these names; what has none yet is made.

    Args:
        names: to the type that a new one gets.
    """
    by_name = {name: alias for name in names if (alias := words.folded(name))}
    known = _by_alias(conn, account_key, sorted(set(by_name.values())))
    new = {alias: name for name, alias in reversed(by_name.items()) if alias not in known}
    if new:
        rows = [
            {"entity_id": ids.new("ent"), "account_key": account_key, "name": name.strip(), "type": names[name]}
            for name in new.values()
        ]
        made = insert(entities).returning(e.entity_key, sort_by_parameter_order=True)
        keys = [int(key) for key in conn.execute(made, rows).scalars()]
        _call(conn, account_key, [(alias, key) for alias, key in zip(new, keys, strict=True)])
        known |= dict(zip(new, keys, strict=True))
    return {name: known[alias] for name, alias in by_name.items()}


def name_of(conn: Connection, account_key: int, name: str) -> str:
    """What an entity that is also called `name` is called; the name itself where it is nobody's, or several ones'."""
    found = conn.execute(
        select(e.name)
        .join(aliases, a.entity_key == e.entity_key)
        .where(a.account_key == account_key, a.alias == words.folded(name))
    ).scalars()
    names = [str(found_name) for found_name in found]
    return names[0] if len(names) == 1 else name


def describe(conn: Connection, account_key: int, entity: Entity) -> bool:
    """Write an entity with its aliases; whether it, or one of them, is new."""
    if not words.folded(entity.name):
        return False  # a name of nothing but marks
    before = _by_alias(conn, account_key, [words.folded(entity.name)])
    key = find_or_make(conn, account_key, {entity.name: entity.type})[entity.name]
    if entity.type and before:
        conn.execute(entities.update().where(e.entity_key == key, e.type.is_(None)).values(type=entity.type))
    given = [(alias, key) for name in entity.aliases if (alias := words.folded(name))]
    return _call(conn, account_key, given) or not before


def relate(conn: Connection, account_key: int, relation: Relation, now: str, also: Sequence[int] = ()) -> bool:
    """Write a relation with its evidence, once while it is believed; whether it is new.

    Args:
        also: passages that are evidence beside the relation's sources.
    """
    ends = find_or_make(conn, account_key, {relation.subject: None, relation.object: None})
    if relation.subject not in ends or relation.object not in ends:
        return False  # a name of nothing but marks
    known = conn.execute(
        select(r.relation_key).where(
            r.subject_key == ends[relation.subject],
            r.object_key == ends[relation.object],
            r.predicate == relation.predicate,
            r.retired_at.is_(None),
        )
    ).scalar()
    key = known
    if key is None:
        row: dict[str, Any] = {
            "account_key": account_key,
            "subject_key": ends[relation.subject],
            "predicate": relation.predicate,
            "object_key": ends[relation.object],
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


def _by_alias(conn: Connection, account_key: int, folded: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in chunks(folded):
        wanted = select(a.alias, a.entity_key).where(a.account_key == account_key, a.alias.in_(some))
        for alias, key in conn.execute(wanted.order_by(a.entity_key.desc())):
            found[str(alias)] = int(key)
    return found


def _call(conn: Connection, account_key: int, given: Sequence[tuple[str, int]]) -> bool:
    rows = [{"account_key": account_key, "alias": alias, "entity_key": key} for alias, key in given]
    return insert_new(conn, aliases, rows) > 0
