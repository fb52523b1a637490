"""Which passages may answer a question: by its terms, from the index alone; then those that the filters let through."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select

from ..schema import accounts, aliases, entities, postings
from ..statements import listed
from . import dates, irregular, ranking, reads, words

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
    """The question's terms that the accounts have, rarest first; of a verb with several stems one for all of them."""
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


class Passage(NamedTuple):
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
    scope = reads.scope_of(query.tenant_id, query.account_keys)
    totals: Any = reads.totals(query.account_keys is None).first(conn, scope)
    passages_in_all, terms_in_all = map(int, totals)
    distinct = list(dict.fromkeys(map(irregular.base, asked)))[:MAX_ASKED]
    found_in, rows = _postings(conn, query, scope, distinct, passages_in_all)
    used = found_in[:MAX_TERMS]
    of = max(FEWEST, passages_in_all)
    rarity = {term: ranking.idf(of, found) for found, term in used}
    average = max(1.0, terms_in_all / max(1, passages_in_all))
    counts: dict[str, dict[int, int]] = {term: {} for term in rarity}
    lengths: dict[int, int] = {}
    of_form = {form: having for term, having in counts.items() for form in irregular.forms(term)}
    for form, key, count, length in rows:
        having = of_form[form]
        having[key] = having.get(key, 0) + count
        lengths[key] = length
    expected = {term: 0 for term in distinct if not dates.is_part(term)} | {term: found for found, term in found_in}
    share = min(1.0, MAX_ANSWERED / max(1, len(expected)))
    rarities = {term: ranking.idf(of, found or 1) for term, found in expected.items()}
    in_all = sum(rarities.values())
    absent = tuple(term for term, found in expected.items() if not found)
    if sum(rarities[term] for term in absent) < in_all / 2:
        absent = ()
    return Matches(rarity, average, counts, _scores(rarity, average, counts, lengths), absent, in_all * share)


def _postings(
    conn: Connection, query: Query, scope: Mapping[str, Any], terms: Sequence[str], passages_in_all: int
) -> tuple[list[tuple[int, str]], list[Any]]:
    """In how many passages each term is, rarest first, and the rows that are read: term, passage, count, length.

    The rows have the forms of a term by themselves, and a passage with two of them counts twice.
    """
    everywhere = query.account_keys is None
    in_forms = _in_forms(terms)
    given = {**scope, "terms": listed(in_forms)}
    if len(in_forms) <= MAX_TERMS and passages_in_all * len(in_forms) <= MAX_POSTINGS:
        # They cannot be too many: to count them first would take as long as to read them.
        rows: list[Any] = reads.of_terms(everywhere, newest=False).all(conn, given)
        return _rarest_first(Counter(row[0] for row in rows)), rows
    having: list[Any] = reads.found_in(everywhere).all(conn, given)
    found_in = _rarest_first({str(term): int(found) for found, term in having})
    rows = []
    for some, most in _reads(found_in[:MAX_TERMS]):
        given = {**scope, "terms": listed(_in_forms(some)), **({} if most is None else {"most": most})}
        rows += reads.of_terms(everywhere, newest=most is not None).all(conn, given)
    return found_in, rows


def _in_forms(terms: Sequence[str]) -> list[str]:
    return [form for term in terms for form in irregular.forms(term)]


def _rarest_first(having: Mapping[str, int]) -> list[tuple[int, str]]:
    together: Counter[str] = Counter()
    for form, found in having.items():
        together[irregular.base(form)] += found
    return sorted((found, term) for term, found in together.items())


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
    filters: set[str] = set()
    given = {**reads.scope_of(query.tenant_id, query.account_keys), "keys": listed(keys)}
    for name, time in (("at", query.as_of or now), ("until", query.until)):
        if time:
            given[name], is_day = reads.end_of(time)
            filters |= {name, f"{name}_day"} if is_day else {name}
    if query.since:
        given["since"] = query.since
    if query.kinds is not None:
        given["kinds"] = listed(sorted(query.kinds))
    filters |= given.keys() & {"since", "kinds"}
    return [*map(Passage._make, reads.passing(query.account_keys is None, frozenset(filters)).all(conn, given))]


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
