"""Forgetting: memories that are no longer believed, and data that is gone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from flotilla_kit.errors import InvalidArguments, NotFound
from flotilla_kit.storage.statements import chunks
from sqlalchemy import Column, ColumnElement, Connection, delete, exists, func, not_, or_, select, update
from sqlalchemy.sql.selectable import Select

from ..models import Forgotten
from ..retrieval import index, words
from ..schema import accounts, aliases, citations, encoded, entities, episodes, evidence, memories, passages, relations
from . import log
from .memories import retire

p, m, e, r, a = passages.c, memories.c, entities.c, relations.c, aliases.c
ACCOUNT = "account"


@dataclass(frozen=True)
class Chosen:
    """What a target means in an account, by keys."""

    passages: Sequence[int] = ()
    episodes: Sequence[int] = ()
    entities: Sequence[int] = ()
    relations: Sequence[int] = ()
    account: bool = False


def choose(conn: Connection, account_key: int, target: str, mode: str) -> Chosen:
    """What a memory's, episode's or entity's id stands for, or with `account` everything.

    An entity stands for all that is by or about it.

    Raises:
        NotFound: the account has none with that id.
        InvalidArguments: an episode is to expire; it is what was said, and stays true.
    """
    if target == ACCOUNT:
        return _account(conn, account_key)
    if target.startswith("mem_"):
        found = _keys(conn, select(p.passage_key).where(p.account_key == account_key, p.passage_id == target))
        chosen = Chosen(found, relations=_resting_on(conn, found))
    elif target.startswith("ep_"):
        if mode == "expire":
            raise InvalidArguments(
                "An episode does not expire: it is what was said.", suggestion="Use erase, or expire a memory."
            )
        of = episodes.c
        found = _keys(conn, select(of.episode_key).where(of.account_key == account_key, of.episode_id == target))
        turns = _keys(conn, select(p.passage_key).where(p.episode_key.in_(found)))
        chosen = Chosen(turns, found, relations=_resting_on(conn, turns))
    else:
        found = _keys(conn, select(e.entity_key).where(e.account_key == account_key, e.entity_id == target))
        chosen = _of_entity(conn, account_key, found)
    if not found:
        raise NotFound("There is nothing with that id.", suggestion="Pass an id as search answers have it.")
    return chosen


def count(conn: Connection, chosen: Chosen, mode: str, *, dry_run: bool, at: str | None = None) -> Forgotten:
    """The chosen in counts: with `expire`, what is believed of it."""
    believed = turns = cited = 0
    for keys in chunks(chosen.passages):
        wanted = select(func.count()).select_from(memories).where(m.passage_key.in_(keys))
        if mode == "expire":
            wanted = wanted.where(m.retired_at.is_(None))
        else:
            of = citations.c
            turns += _number(conn, select(func.count()).where(p.passage_key.in_(keys), p.kind == "turn"))
            cited += _number(conn, select(func.count()).where(or_(of.passage_key.in_(keys), of.source_key.in_(keys))))
        believed += _number(conn, wanted)
    erased = mode == "erase"
    return Forgotten(
        dry_run=dry_run,
        mode="erase" if erased else "expire",
        memories=believed,
        episodes=len(chosen.episodes) if erased else 0,
        turns=turns,
        entities=len(chosen.entities) if erased else 0,
        relations=len(chosen.relations),
        citations=cited,
        forgotten_at=at,
    )


def expire(conn: Connection, chosen: Chosen, now: str) -> None:
    """End the belief in the chosen; what was believed before stays known."""
    for keys in chunks(chosen.passages):
        retire(conn, keys, now)
    for keys in chunks(chosen.relations):
        conn.execute(update(relations).where(r.relation_key.in_(keys), r.retired_at.is_(None)).values(retired_at=now))


def erase(conn: Connection, account_key: int, chosen: Chosen) -> None:
    """Delete the chosen, what the index holds of it, and entities that nothing else is about."""
    touched = {*chosen.entities, *_ends(conn, chosen.relations), *_subjects(conn, account_key, chosen.passages)}
    for keys in chunks(chosen.relations):
        conn.execute(delete(evidence).where(evidence.c.relation_key.in_(keys)))
        conn.execute(delete(relations).where(r.relation_key.in_(keys)))
    index.remove(conn, account_key, chosen.passages)
    of = citations.c
    for keys in chunks(chosen.passages):
        conn.execute(delete(citations).where(or_(of.passage_key.in_(keys), of.source_key.in_(keys))))
        conn.execute(delete(evidence).where(evidence.c.passage_key.in_(keys)))
        conn.execute(update(memories).where(m.superseded_by.in_(keys)).values(superseded_by=None))
        conn.execute(delete(memories).where(m.passage_key.in_(keys)))
        conn.execute(delete(passages).where(p.passage_key.in_(keys)))
    for keys in chunks(chosen.episodes):
        conn.execute(delete(episodes).where(episodes.c.episode_key.in_(keys)))
    _drop_orphans(conn, account_key, sorted(touched), forced=chosen.entities)
    if chosen.account:
        conn.execute(delete(encoded).where(encoded.c.account_key == account_key))
        conn.execute(delete(accounts).where(accounts.c.account_key == account_key))
    log.note_erased(conn)


def _account(conn: Connection, account_key: int) -> Chosen:
    return Chosen(
        _keys(conn, select(p.passage_key).where(p.account_key == account_key)),
        _keys(conn, select(episodes.c.episode_key).where(episodes.c.account_key == account_key)),
        _keys(conn, select(e.entity_key).where(e.account_key == account_key)),
        _keys(conn, select(r.relation_key).where(r.account_key == account_key)),
        account=True,
    )


def _of_entity(conn: Connection, account_key: int, keys: Sequence[int]) -> Chosen:
    said: list[int] = []
    for names in chunks(_spellings(conn, account_key, keys)):
        said += _keys(conn, select(p.passage_key).where(p.account_key == account_key, p.speaker.in_(names)))
    own = _keys(conn, select(r.relation_key).where(or_(r.subject_key.in_(keys), r.object_key.in_(keys))))
    relations_ = sorted({*own, *_resting_on(conn, said)})
    return Chosen(said, _wholly_of(conn, said), keys, relations_)


def _spellings(conn: Connection, account_key: int, keys: Sequence[int]) -> list[str]:
    """The names of speakers and subjects that mean one of these entities and no other."""
    means: dict[str, set[int]] = defaultdict(set)
    for alias, key in conn.execute(select(a.alias, a.entity_key).where(a.account_key == account_key)):
        means[str(alias)].add(int(key))
    spoken = _names(conn, p.account_key == account_key)
    return [name for name in spoken if (of := means.get(words.folded(name))) and of <= set(keys)]


def _names(conn: Connection, of: ColumnElement[bool]) -> list[str]:
    """The speakers and subjects of some passages."""
    given = select(p.speaker).where(of, p.speaker.is_not(None)).distinct()
    return [str(name) for name in conn.execute(given).scalars()]


def _wholly_of(conn: Connection, keys: Sequence[int]) -> list[int]:
    """The episodes that have no other passages than these."""
    return _with_no_other(conn, p.episode_key, p.passage_key, keys)


def _resting_on(conn: Connection, keys: Sequence[int]) -> list[int]:
    """The relations that only these passages are evidence of."""
    return _with_no_other(conn, evidence.c.relation_key, evidence.c.passage_key, keys)


def _with_no_other(conn: Connection, group: Column[int], passage: Column[int], keys: Sequence[int]) -> list[int]:
    """Of the groups that these passages are in, those that no other passage is in."""
    gone, found, kept = set(keys), set[int](), set[int]()
    for some in chunks(keys):
        found.update(_keys(conn, select(group).where(passage.in_(some), group.is_not(None))))
    for some in chunks(sorted(found)):
        rows = conn.execute(select(group, passage).where(group.in_(some)))
        kept.update(int(of) for of, key in rows if key not in gone)
    return sorted(found - kept)


def _ends(conn: Connection, keys: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for some in chunks(keys):
        for row in conn.execute(select(r.subject_key, r.object_key).where(r.relation_key.in_(some))):
            found.update(row)
    return found


def _subjects(conn: Connection, account_key: int, keys: Sequence[int]) -> set[int]:
    """The entities that these passages are by or about, under whatever name."""
    names = {words.folded(name) for some in chunks(keys) for name in _names(conn, p.passage_key.in_(some))}
    found: set[int] = set()
    for some in chunks(sorted(names)):
        found.update(_keys(conn, select(a.entity_key).where(a.account_key == account_key, a.alias.in_(some))))
    return found


def _drop_orphans(conn: Connection, account_key: int, keys: Sequence[int], forced: Sequence[int]) -> None:
    related = exists().where(or_(r.subject_key == e.entity_key, r.object_key == e.entity_key))
    spoken = {words.folded(name) for name in _names(conn, p.account_key == account_key)} if keys else set[str]()
    for some in chunks(keys):
        called = conn.execute(select(a.alias, a.entity_key).where(a.entity_key.in_(some)))
        named = {int(key) for alias, key in called if alias in spoken} - set(forced)
        unrelated = or_(e.entity_key.in_(forced), not_(related))
        gone = _keys(conn, select(e.entity_key).where(e.entity_key.in_(some), e.entity_key.not_in(named), unrelated))
        conn.execute(delete(aliases).where(aliases.c.entity_key.in_(gone)))
        conn.execute(delete(entities).where(e.entity_key.in_(gone)))


def _keys(conn: Connection, wanted: Select[int]) -> list[int]:
    return [int(key) for key in conn.execute(wanted).scalars()]


def _number(conn: Connection, wanted: Select[int]) -> int:
    return int(conn.execute(wanted).scalar_one())
