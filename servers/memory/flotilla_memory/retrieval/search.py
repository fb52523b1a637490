"""Search: the passages that answer a question best, out of one or all accounts of a tenant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from . import candidates, dates, ranking, words
from .candidates import Matches, Passage, Query

__all__ = ["Found", "Query", "search"]

MAX_CANDIDATES = 300  # are ranked
_CHUNK = 400  # keys looked up at once
_MAX_LOOKED_AT = 6_000  # keys, before filters that let next to nothing through end the search


@dataclass(frozen=True)
class Found:
    """A passage that answers, with what speaks for it, in a few words for a person."""

    passage_key: int
    score: float
    why: str


@dataclass(frozen=True)
class Candidate:
    """A passage with its features, in the order of `ranking.FEATURES`."""

    passage: Passage
    features: tuple[float, ...]
    matched: tuple[str, ...]
    """Terms of the question that it has itself."""


def search(conn: Connection, query: Query, now: str) -> list[Found]:
    """The passages that answer best, best first; empty when none has anything of the question."""
    weights = tuple(ranking.WEIGHTS[name] for name in ranking.FEATURES)
    spelled = {term: word for word in re.findall(r"\w+", query.text) for term in words.terms(word)}
    ranked = sorted(
        ((ranking.total(candidate.features, weights), candidate) for candidate in examine(conn, query, now)),
        key=lambda pair: (-pair[0], -pair[1].passage.passage_key),
    )
    return [Found(of.passage.passage_key, score, _why(of, spelled)) for score, of in ranked[: query.limit]]


def examine(conn: Connection, query: Query, now: str) -> list[Candidate]:
    """The candidates for a question with their features, in no particular order."""
    asked = words.terms(query.text)
    found = candidates.matches(conn, query, asked)
    passages = list(_eligible(conn, query, found, now))
    if not passages:
        return []
    named = dates.named(query.text, date.fromisoformat(now[:10]))
    windows = _windows(conn, query, found, passages)
    person = _person(query.text, passages)
    asks_time = ranking.asks_time(query.text)
    standard = ranking.Standard.of([ranking.length(passage.terms) for passage in passages])
    best = [max(scores) or 1.0 for scores in zip(*windows, strict=True)]
    result: list[Candidate] = []
    for passage, scores in zip(passages, windows, strict=True):
        if not scores[2]:  # its key is beside one that matches, and it is of another episode
            continue
        day = date.fromisoformat(passage.occurred_at[:10])
        own_terms = found.counts.get(passage.passage_key, {})
        features = (
            *(score / top for score, top in zip(scores, best, strict=True)),
            float(person is not None and passage.speaker == person),
            float(named.has_period(day)),
            float(named.is_near(day)),
            standard.score(ranking.length(passage.terms)),
            float(ranking.is_question(passage.text)),
            ranking.bigrams(asked, words.terms(passage.text)) if len(own_terms) > 1 else 0.0,
            float(asks_time and ranking.has_time(passage.text)),
            float(ranking.in_first_person(passage.text)),
        )
        result.append(Candidate(passage, features, tuple(term for term in found.rarity if term in own_terms)))
    return result


def _eligible(conn: Connection, query: Query, found: Matches, now: str) -> Iterator[Passage]:
    keys = candidates.order(found)[:_MAX_LOOKED_AT]
    if query.entity is not None:
        naming = candidates.naming(conn, query, query.entity)
        keys = [key for key in keys if key in naming]
    left = MAX_CANDIDATES
    for start in range(0, len(keys), _CHUNK):
        chunk = candidates.passing(conn, query, keys[start : start + _CHUNK], now)
        rank = {key: place for place, key in enumerate(keys[start : start + _CHUNK])}
        chunk.sort(key=lambda passage: rank[passage.passage_key])
        yield from chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def _windows(
    conn: Connection, query: Query, found: Matches, passages: Sequence[Passage]
) -> list[tuple[float, float, float, float]]:
    """BM25 of each passage: alone, with its neighbours, with more around it, and of its whole episode."""
    episodes: dict[int, list[tuple[int, int]]] = {}  # passage and terms, in order
    place: dict[int, tuple[int, int]] = {}  # of a passage: its episode and index in it
    keys = sorted({passage.episode_key for passage in passages if passage.episode_key is not None})
    for episode, _, key, terms in candidates.neighbours(conn, query, keys) if keys else ():
        turns = episodes.setdefault(episode, [])
        place[key] = (episode, len(turns))
        turns.append((key, terms))
    for passage in passages:
        if passage.passage_key not in place:  # a memory stands alone
            episodes[-passage.passage_key] = [(passage.passage_key, passage.terms)]
            place[passage.passage_key] = (-passage.passage_key, 0)
    averages = [
        _average_window(episodes, before, behind) for before, behind in ((1, 1), (candidates.BEFORE, candidates.BEHIND))
    ]
    average_episode = sum(terms for turns in episodes.values() for _, terms in turns) / len(episodes)
    episode_scores = {
        key: ranking.bm25(
            _counts(found, turns), found.rarity, sum(terms for _, terms in turns), average_episode, ranking.B_EPISODE
        )
        for key, turns in episodes.items()
    }
    result: list[tuple[float, float, float, float]] = []
    for passage in passages:
        episode, at = place[passage.passage_key]
        turns = episodes[episode]
        near = turns[max(0, at - 1) : at + 2]
        around = turns[max(0, at - candidates.BEFORE) : at + candidates.BEHIND + 1]
        result.append(
            (
                _score(found, [turns[at]], found.average),
                _score(found, near, averages[0]),
                _score(found, around, averages[1]),
                episode_scores[episode],
            )
        )
    return result


def _average_window(episodes: Mapping[int, Sequence[tuple[int, int]]], before: int, behind: int) -> float:
    total = windows = 0
    for turns in episodes.values():
        windows += len(turns)
        # A passage is in the windows of those around it: as many as there are within reach.
        for at, (_, terms) in enumerate(turns):
            total += terms * (min(len(turns), at + before + 1) - max(0, at - behind))
    return max(1.0, total / windows)


def _score(found: Matches, turns: Sequence[tuple[int, int]], average: float) -> float:
    counts = _counts(found, turns)
    return ranking.bm25(counts, found.rarity, sum(terms for _, terms in turns), average) if counts else 0.0


def _counts(found: Matches, turns: Sequence[tuple[int, int]]) -> dict[str, int]:
    if len(turns) == 1:
        return found.counts.get(turns[0][0], {})
    together: dict[str, int] = {}
    for key, _ in turns:
        for term, count in found.counts.get(key, {}).items():
            together[term] = together.get(term, 0) + count
    return together


def _person(text: str, passages: Sequence[Passage]) -> str | None:
    """The one speaker or subject whom the question names; None if it names none, or several."""
    asked = set(words.terms(text))
    speakers = {passage.speaker for passage in passages if passage.speaker}
    named = [speaker for speaker in speakers if asked & set(words.terms(speaker))]
    return named[0] if len(named) == 1 else None


def _why(candidate: Candidate, spelled: Mapping[str, str]) -> str:
    features = dict(zip(ranking.FEATURES, candidate.features, strict=True))
    passage = candidate.passage
    reasons: list[str] = []
    by_name = words.terms(passage.speaker) if features["speaker"] and passage.speaker else []
    matched = [spelled.get(term, term) for term in candidate.matched if term not in by_name]
    if matched:
        reasons.append("has " + ", ".join(matched[:6]))
    elif features["around"]:
        reasons.append("beside passages that have it")
    if features["speaker"] and passage.speaker:
        reasons.append(f"by {passage.speaker[:40]}")
    if features["period"] or features["day"]:
        reasons.append(f"on {passage.occurred_at[:10]}")
    return "; ".join(reasons)
