"""What a search found, as an answer shows it: cited, and cut to its best part."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from flotilla_kit.storage import PreparedSelect
from sqlalchemy import Connection, select

from ..models import Hit, Source
from ..retrieval import irregular, words
from ..retrieval.search import Found
from ..schema import accounts, citations, episodes, memories, passages
from ..statements import among, listed

p, m, e = passages.c, memories.c, episodes.c
MOST_SOURCES = 20
LONGEST_TITLE = 100  # characters
LONGEST_URI = 300


@cache
def _of_passages() -> PreparedSelect:
    return PreparedSelect(
        select(
            *(p.passage_key, p.passage_id, p.kind, p.text, p.speaker, p.occurred_at, m.valid_from, m.valid_to),
            *(e.episode_id, e.channel, e.title, e.uri, accounts.c.account_id),
        )
        .select_from(passages)
        .join(accounts, accounts.c.account_key == p.account_key)
        .outerjoin(memories, m.passage_key == p.passage_key)
        .outerjoin(episodes, e.episode_key == p.episode_key)
        .where(among(p.passage_key, "keys"))
    )


@cache
def _cited_by() -> PreparedSelect:
    of = citations.c
    return PreparedSelect(
        select(of.passage_key, p.passage_id)
        .join(passages, p.passage_key == of.source_key)
        .where(among(of.passage_key, "keys"))
        .order_by(of.passage_key, of.source_key)
    )


def hits(conn: Connection, found: Sequence[Found], query: str, longest: int) -> list[Hit]:
    """The passages found, in their order; texts of at most `longest` characters."""
    keys = [one.passage_key for one in found]
    rows: list[Any] = _of_passages().all(conn, {"keys": listed(keys)})
    by_key = {row.passage_key: row for row in rows}
    cited = sources(conn, keys)
    asked = frozenset(form for term in words.terms(query) for form in irregular.forms(term))
    answer: list[Hit] = []
    for one in found:
        row = by_key[one.passage_key]
        text = best_part(row.text, asked, longest)
        answer.append(
            Hit(
                passage_id=row.passage_id,
                kind=row.kind,
                text=text,
                truncated=len(text) < len(row.text) or None,
                by=row.speaker,
                account_id=row.account_id or None,
                occurred_at=row.occurred_at,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                sources=cited.get(one.passage_key),
                score=round(one.score, 3),
                why=one.why,
                source=_source(row) if row.episode_id else None,
            )
        )
    return answer


def _source(row: Any) -> Source:
    """An episode as a hit names it; half an address would lead nowhere."""
    uri = row.uri if row.uri and len(row.uri) <= LONGEST_URI else None
    return Source(
        episode_id=row.episode_id, channel=row.channel, title=row.title and row.title[:LONGEST_TITLE], uri=uri
    )


def sources(conn: Connection, keys: Sequence[int]) -> dict[int, list[str]]:
    """The passages that these rest on, by id; `MOST_SOURCES` of each."""
    cited: dict[int, list[str]] = defaultdict(list)
    rows: list[Any] = _cited_by().all(conn, {"keys": listed(keys)})
    for key, passage_id in rows:
        if len(cited[int(key)]) < MOST_SOURCES:
            cited[int(key)].append(str(passage_id))
    return cited


def best_part(text: str, asked: frozenset[str], longest: int) -> str:
    """At most `longest` characters of a text: those with the most of the asked terms, from a word's beginning."""
    if len(text) <= longest:
        return text
    places = [word.start() for word in re.finditer(r"\w+", text) if asked & set(words.terms(word[0]))]
    best = max(places, key=lambda at: (sum(at <= other < at + longest - 20 for other in places), -at), default=0)
    start = max(0, min(best - longest // 5, len(text) - longest))
    if start:
        space = text.find(" ", start, start + 20)
        start = space + 1 if space != -1 else start
    return text[start : start + longest]
