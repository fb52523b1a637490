"""Which passages may answer a question: by its terms, from the index alone; then those that the filters let through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from ..schema import accounts, aliases, entities, memories, passages, postings
from . import dates, ranking, words

MAX_ASKED = 256  # distinct terms of a question that are looked up
MAX_TERMS = 32  # of them are used, the rarest first
MAX_ANSWERED = 8
FEWEST = 50  # passages: so few do not tell how rare a term is
MAX_POSTINGS = 12_000  # are read, the rarest terms first and of a term the newest passages
_CHUNK = 400  # passages ordered, and looked up, at once
BEFORE, BEHIND = 3, 2  # passages of an episode that count as around one


@dataclass(frozen=True)
class Query:
    """What is asked, and where. Times are ISO 8601; `until` includes the whole day where only a day is given."""

    text: str
    tenant_id: str = ""
    account_keys: Sequence[int] | None = None
    """None: all accounts of the tenant."""
    since: str | None = None
    until: str | None = None
    as_of: str | None = None
    """What was believed then; None is now."""
    kinds: frozenset[str] | None = None
    entity: str | None = None
    """An entity's id or name: only passages by it, about it or with its name."""
    limit: int = 10


@dataclass(frozen=True)
class Matches:
    """What the index says of a question."""

    rarity: dict[str, float]
    """The question's terms that the accounts have, rarest first."""
    average: float
    """Terms in a passage."""
    counts: dict[str, dict[int, int]]
    """Of each term: the passages that have it, and how often."""
    scores: dict[int, float]
    """BM25 of each passage found."""
    absent: tuple[str, ...]
    """The question's terms that no passage has, but for parts of dates; none where they are less than half of it."""
    asked: float
    """The rarity of all terms of the question together, those included that the accounts do not have, but for parts of
    dates. Of a long text no more than of `MAX_ANSWERED` terms: nothing is expected to have all of it."""


@dataclass(frozen=True)
class Passage:
    """A passage that the filters let through."""

    passage_key: int
    episode_key: int | None
    position: int | None
    speaker: str | None
    text: str
    occurred_at: str
    terms: int


def matches(conn: Connection, query: Query, asked: Sequence[str]) -> Matches:
    """Look the terms up: all postings of the rarest, and of the first that is too many its newest."""
    passages_in_all, terms_in_all = conn.execute(
        select(func.coalesce(func.sum(accounts.c.passages), 0), func.coalesce(func.sum(accounts.c.terms), 0)).where(
            in_scope(accounts.c.account_key, query)
        )
    ).one()
    distinct = list(dict.fromkeys(asked))[:MAX_ASKED]
    # By account first, as the index is ordered: SQLite would sort all of the postings to group them by term alone.
    of_accounts = (
        select(postings.c.term, func.count().label("found"))
        .where(in_scope(postings.c.account_key, query), postings.c.term.in_(distinct))
        .group_by(postings.c.account_key, postings.c.term)
        .subquery()
    )
    having = conn.execute(select(func.sum(of_accounts.c.found), of_accounts.c.term).group_by(of_accounts.c.term))
    found_in = sorted((int(found), str(term)) for found, term in having)
    used = found_in[:MAX_TERMS]
    of = max(FEWEST, int(passages_in_all))
    rarity = {term: ranking.idf(of, found) for found, term in used}
    average = max(1.0, int(terms_in_all) / max(1, int(passages_in_all)))
    counts: dict[str, dict[int, int]] = {term: {} for term in rarity}
    lengths: dict[int, int] = {}
    for terms, limit in _reads(used):
        rows = conn.execute(
            select(postings.c.term, postings.c.passage_key, postings.c.count, postings.c.terms)
            .where(in_scope(postings.c.account_key, query), postings.c.term.in_(terms))
            .order_by(*([] if limit is None else [postings.c.passage_key.desc()]))
            .limit(limit)
        )
        for term, key, count, length in rows.all():
            counts[term][key] = count
            lengths[key] = length
    expected = {term: 0 for term in distinct if not dates.is_part(term)} | {term: having for having, term in found_in}
    share = min(1.0, MAX_ANSWERED / max(1, len(expected)))
    rarities = {term: ranking.idf(of, having or 1) for term, having in expected.items()}
    in_all = sum(rarities.values())
    absent = tuple(term for term, having in expected.items() if not having)
    if sum(rarities[term] for term in absent) < in_all / 2:
        absent = ()
    return Matches(rarity, average, counts, _scores(rarity, average, counts, lengths), absent, in_all * share)


def _scores(
    rarity: Mapping[str, float], average: float, counts: Mapping[str, Mapping[int, int]], lengths: Mapping[int, int]
) -> dict[int, float]:
    norms = {length: ranking.norm(length, average) for length in set(lengths.values())}
    scores = dict.fromkeys(lengths, 0.0)
    for term, weight in rarity.items():
        for key, count in counts[term].items():
            scores[key] += ranking.saturated(weight, count, norms[lengths[key]])
    return scores


def _reads(used: Sequence[tuple[int, str]]) -> list[tuple[list[str], int | None]]:
    """What is read of the terms, given how many postings each has: some in full, then one in part."""
    full: list[str] = []
    left = MAX_POSTINGS
    for found, term in used:
        if found > left:
            return [(full, None), ([term], left)] if full else [([term], left)]
        full.append(term)
        left -= found
    return [(full, None)] if full else []


def order(found: Matches) -> Iterator[list[int]]:
    """Passages by how much they and their neighbours have of the question, best first, some hundred at a time.

    An episode's passages were written one after the other, so nearly always a neighbour is the next key; some keys are
    of no passage. That is exact enough to say which passages are looked at.
    """
    best = sorted(((score, key) for key, score in found.scores.items()), reverse=True)
    given: set[int] = set()
    for start in range(0, len(best), _CHUNK):
        spread: dict[int, float] = {}
        for score, key in best[start : start + _CHUNK]:
            spread[key] = spread.get(key, 0.0) + score
            for other in range(key - BEHIND, key + BEFORE + 1):
                spread[other] = spread.get(other, 0.0) + score
        ordered = sorted(((score, key) for key, score in spread.items() if key not in given), reverse=True)
        given |= spread.keys()
        for part in range(0, len(ordered), _CHUNK):
            yield [key for _, key in ordered[part : part + _CHUNK]]


def passing(conn: Connection, query: Query, keys: Sequence[int], now: str) -> list[Passage]:
    """Of these passages the ones in the query's accounts that its filters let through."""
    wanted = _selection(query, now).where(passages.c.passage_key.in_(keys))
    return [Passage(*row) for row in conn.execute(wanted).all()]


def _selection(query: Query, now: str) -> Select[*tuple[Any, ...]]:
    of = passages.c
    at = query.as_of or now
    conditions = [in_scope(of.account_key, query), believed(at)]
    if query.since:
        conditions.append(of.occurred_at >= query.since)
    if query.until:
        conditions.append(through(of.occurred_at, query.until))
    if query.kinds is not None:
        conditions.append(of.kind.in_(sorted(query.kinds)))
    return (
        select(of.passage_key, of.episode_key, of.position, of.speaker, of.text, of.occurred_at, of.terms)
        .select_from(passages.outerjoin(memories, memories.c.passage_key == of.passage_key))
        .where(*conditions)
    )


def believed(at: str) -> ColumnElement[bool]:
    """Whether a passage (with its memory, if it is one) was believed, and not yet over, at a time."""
    of = memories.c
    return or_(
        and_(passages.c.kind == "turn", through(passages.c.occurred_at, at)),
        and_(
            through(of.recorded_at, at),
            or_(of.retired_at.is_(None), ~through(of.retired_at, at)),
            or_(of.valid_to.is_(None), ~through(of.valid_to, at)),
        ),
    )


def through(column: ColumnElement[str], time: str) -> ColumnElement[bool]:
    """Whether a time is not after another, or not after that day."""
    if len(time) > len("2026-01-31"):
        return column <= time
    return column < (date.fromisoformat(time) + timedelta(days=1)).isoformat()


def naming(conn: Connection, query: Query, entity: str) -> frozenset[int]:
    """The passages that have an entity's name, or one of its other names, in them or as their speaker."""
    of, folded = entities.c, words.folded(entity)
    known = (
        select(of.entity_key)
        .outerjoin(aliases, aliases.c.entity_key == of.entity_key)
        .where(in_scope(of.account_key, query))
        .where(or_(of.entity_id == entity, of.name == entity, aliases.c.alias == folded))
    )
    names = {entity} if not entity.startswith("ent_") else set[str]()
    for name, alias in conn.execute(
        select(of.name, aliases.c.alias)
        .outerjoin(aliases, aliases.c.entity_key == of.entity_key)
        .where(of.entity_key.in_(known))
    ):
        names |= {str(name), *([str(alias)] if alias else [])}
    return frozenset[int]().union(*(_having_all(conn, query, words.terms(name)) for name in sorted(names)))


def _having_all(conn: Connection, query: Query, terms: Sequence[str]) -> frozenset[int]:
    distinct = sorted(set(terms))
    if not distinct:
        return frozenset()
    rows = conn.execute(
        select(postings.c.passage_key)
        .where(in_scope(postings.c.account_key, query), postings.c.term.in_(distinct))
        .group_by(postings.c.passage_key)
        .having(func.count() == len(distinct))
    )
    return frozenset(int(key) for (key,) in rows)


def in_scope(account_key: ColumnElement[int], query: Query) -> ColumnElement[bool]:
    """Whether an account is one of the query's."""
    if query.account_keys is not None:
        return account_key.in_(query.account_keys)
    return account_key.in_(select(accounts.c.account_key).where(accounts.c.tenant_id == query.tenant_id))
