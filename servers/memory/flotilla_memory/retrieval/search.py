"""Search: the passages that answer a question best, out of one or all accounts of a tenant."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from math import exp, log1p
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from . import candidates, dates, irregular, ranking, vectors, words
from .candidates import Matches, Passage, Query
from .vectors import Compared
from .windows import windows_of

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

__all__ = ["Found", "Query", "search"]

MAX_CANDIDATES = 250  # are ranked by what the index says of them,
MAX_READ = 150  # and the best of them by their texts too
MIN_CONFIDENCE = 0.1  # below it, the memory has next to nothing of what is asked
_LITTLE = 0.25  # of a question, by how rare its terms are: that much common words have too
_FALL = 5.0  # so much less in the weighted sum is a score less by e
MIN_COSINE = 0.2  # below it, what is nearest in meaning is not near
_AROUND, _MEANING = (ranking.FEATURES_WITH_VECTORS.index(name) for name in ("around", "meaning"))
_CLOSE = 2.0  # standard deviations above the mean: so near in meaning that it is said
_MAX_LOOKED_AT = 6_000  # keys, before filters that let next to nothing through end the search


@dataclass(frozen=True)
class Found:
    """A passage that answers."""

    passage_key: int
    score: float
    """From 0 to 1: of the first how much of the question it may answer, of the others less, as they fall behind."""
    why: str
    """What speaks for it, in a few words for a person."""


@dataclass(frozen=True)
class Candidate:
    """A passage with its features, in the order of the weights."""

    passage: Passage
    features: tuple[float, ...]
    matched: tuple[str, ...]
    """Terms of the question that it has itself."""
    share: float
    """How much of the question these are, from 0 to 1, by their rarity."""


@dataclass(frozen=True)
class Examined:
    """The candidates for a question, and how sure it is that one of them answers it."""

    candidates: list[Candidate]
    weights: Mapping[str, float]
    """Of their features."""
    confidence: float
    """From 0 to 1: the BM25 score of the best passage, over what the question's terms could give; or the cosine of the
    nearest in meaning, if that is more."""
    absent: tuple[str, ...] = ()
    """The question's terms that no passage has, where they are most of it."""


def search(
    conn: Connection,
    query: Query,
    now: str,
    weights: Mapping[str, float] | None = None,
    encoder: "Encoder | None" = None,
) -> list[Found]:
    """The passages that answer best, best first; empty when none has much of the question.

    Args:
        weights: of every feature, in order; by default those of `ranking`.
        encoder: compares meanings too, where the accounts have vectors of it.
    """
    examined = examine(conn, query, now, weights, encoder)
    in_order = tuple(examined.weights.values())
    ranked = sorted(
        ((ranking.total(candidate.features, in_order), candidate) for candidate in examined.candidates),
        key=lambda pair: (-pair[0], -pair[1].passage.passage_key),
    )
    if not ranked or examined.confidence < MIN_CONFIDENCE:
        return []
    best, _ = ranked[0]
    spelled = {irregular.base(term): word for word in re.findall(r"\w+", query.text) for term in words.terms(word)}
    return [
        Found(
            of.passage.passage_key,
            round(examined.confidence * exp((total - best) / _FALL), 4),
            _why(of, examined.absent, spelled),
        )
        for total, of in ranked[: query.limit]
    ]


def examine(
    conn: Connection,
    query: Query,
    now: str,
    weights: Mapping[str, float] | None = None,
    encoder: "Encoder | None" = None,
) -> Examined:
    """The candidates for a question with their features, in no particular order."""
    asked = words.terms(query.text)
    found = candidates.matches(conn, query, asked)
    naming = None if query.entity is None else candidates.naming(conn, query, query.entity)
    eligible = _eligible(conn, query, found, naming, now)
    passages = eligible[:MAX_CANDIDATES]
    compared = None
    if encoder is not None:
        keys = [passage.passage_key for passage in passages]
        compared = vectors.compare(conn, query, encoder, _without_names(query.text, passages), keys)
    if compared is not None:
        passages += _nearest(conn, query, compared, passages, naming, now)
    weights = weights or (ranking.WEIGHTS if compared is None else ranking.WEIGHTS_WITH_VECTORS)
    if not passages:
        return Examined([], weights, 0.0)
    looked_at = {passage.passage_key: passage for passage in (*eligible, *passages)}
    questions = {key for key, passage in looked_at.items() if ranking.is_question(passage.text)}
    indexed = _of_index(conn, query.text, found, passages, questions, date.fromisoformat(now[:10]))
    meanings = [_meaning(compared, passage, of[_AROUND]) for passage, of in zip(passages, indexed, strict=True)]
    in_order = tuple(weights.values())
    # Beside a match by its key alone, a passage has nothing around it: it is of another episode.
    ordered = sorted(
        (
            (ranking.total(features, in_order) + ranking.total(meaning, in_order[_MEANING:]), at)
            for at, (features, meaning) in enumerate(zip(indexed, meanings, strict=True))
            if features[_AROUND] or meaning
        ),
        reverse=True,
    )
    read = [(passages[at], indexed[at], meanings[at]) for _, at in ordered[:MAX_READ]]
    texts = [words.unstemmed(passage.text) for passage, *_ in read]
    lengths = ranking.standardised([log1p(passage.terms) for passage, *_ in read]) if read else []
    information = ranking.information([set(said) for said in texts]) if read else []
    asks_time = ranking.asks_time(query.text)
    result: list[Candidate] = []
    for (passage, features, meaning), said, length, rare in zip(read, texts, lengths, information, strict=True):
        of_text = (
            length,
            rare,
            float(passage.passage_key in questions),
            ranking.bigrams(asked, words.matching(asked, said)),
            float(asks_time and ranking.has_time(passage.text)),
        )
        matched = tuple(term for term, having in found.counts.items() if passage.passage_key in having)
        share = min(1.0, sum(found.rarity[term] for term in matched) / found.asked) if matched else 0.0
        result.append(Candidate(passage, features + of_text + meaning, matched, share))
    best_own = max((found.scores.get(passage.passage_key, 0.0) for passage in eligible), default=0.0)
    near = compared.best if compared is not None and compared.best >= MIN_COSINE else 0.0
    return Examined(result, weights, min(1.0, max(best_own / found.asked if found.asked else 0.0, near)), found.absent)


def to_encode(conn: Connection, query: Query, now: str, encoder: "Encoder") -> str | None:
    """What a search of this would have encoded; None if nothing, as there are no vectors."""
    if not vectors.has_any(conn, query, encoder):
        return None
    found = candidates.matches(conn, query, words.terms(query.text))
    naming = None if query.entity is None else candidates.naming(conn, query, query.entity)
    return _without_names(query.text, _eligible(conn, query, found, naming, now)[:MAX_CANDIDATES])


def _without_names(text: str, passages: Sequence[Passage]) -> str:
    """A question without the names of whoever speaks: whose passage it is counts by itself."""
    turns = [passage for passage in passages if passage.episode_key is not None]
    names = {word for speaker in _persons(text, turns) for word in words.terms(speaker)}
    kept = [part for part in re.split(r"(\w+(?:['\u2019]s)?)", text) if not set(words.terms(part)) & names]
    return " ".join("".join(kept).split()) or text


def _nearest(
    conn: Connection, query: Query, compared: Compared, passages: Sequence[Passage], naming: Set[int] | None, now: str
) -> list[Passage]:
    """Of the passages nearest in meaning those that are not there yet, and that the filters let through."""
    known = {passage.passage_key for passage in passages}
    keys = [key for key in compared.nearest if naming is None or key in naming][: vectors.MAX_NEAREST]
    return candidates.passing(conn, query, [key for key in keys if key not in known], now)


def _meaning(compared: Compared | None, passage: Passage, around: float) -> tuple[float, ...]:
    if compared is None:
        return ()
    meaning = compared.meaning(passage.passage_key)
    return (*meaning, meaning[0] * around)


def _of_index(
    conn: Connection, text: str, found: Matches, passages: Sequence[Passage], questions: Set[int], today: date
) -> list[tuple[float, ...]]:
    """The first `ranking.OF_INDEX` features of the candidates; `questions` are passages that ask something."""
    windows = windows_of(conn, found, passages, questions)
    own, near, around, episode, _, _ = (max(scores) or 1.0 for scores in zip(*windows, strict=True))
    best = (own, near, around, episode, own, own)
    named = dates.named(text, today)
    persons = _persons(text, passages)
    share = {speaker: 1 / len(persons) for speaker in persons}
    result: list[tuple[float, ...]] = []
    for passage, scores in zip(passages, windows, strict=True):
        of_dates = (0.0, 0.0)
        if named:
            day = date.fromisoformat(passage.occurred_at[:10])
            of_dates = (float(named.has_period(day)), float(named.is_near(day)))
        by = share.get(passage.speaker, 0.0) if passage.speaker else 0.0
        result.append((*(score / top for score, top in zip(scores, best, strict=True)), by, *of_dates))
    return result


def _eligible(conn: Connection, query: Query, found: Matches, naming: Set[int] | None, now: str) -> list[Passage]:
    """Those that the filters let through; with `naming` only of these, which name the query's entity."""
    eligible: list[Passage] = []
    looked_at = 0
    for keys in candidates.order(found):
        rank = {key: place for place, key in enumerate(keys) if naming is None or key in naming}
        passages = candidates.passing(conn, query, list(rank), now) if rank else []
        eligible += sorted(passages, key=lambda passage: rank[passage.passage_key])
        looked_at += len(keys)
        if len(eligible) >= MAX_CANDIDATES or looked_at >= _MAX_LOOKED_AT:
            break
    return eligible


def _persons(text: str, passages: Sequence[Passage]) -> set[str]:
    """The speakers and subjects whom the question names, by any of their names."""
    asked = set(words.terms(text))
    speakers = {passage.speaker for passage in passages if passage.speaker}
    return {speaker for speaker in speakers if asked & set(words.terms(speaker))}


def _why(candidate: Candidate, absent: Sequence[str], spelled: Mapping[str, str]) -> str:
    features = dict(zip(ranking.FEATURES_WITH_VECTORS, candidate.features, strict=False))
    passage = candidate.passage
    reasons: list[str] = []
    by_name = words.terms(passage.speaker) if features["speaker"] and passage.speaker else []
    matched = [spelled.get(term, term) for term in candidate.matched if term not in by_name]
    if matched:
        only = "only common words: " if candidate.share < _LITTLE else ""
        reasons.append(f"has {only}{', '.join(matched[:6])}")
    elif features["around"]:
        reasons.append("beside passages that have it")
    if features.get("meaning", 0.0) >= _CLOSE or not (matched or features["around"]):
        reasons.append("near in meaning")
    if features["speaker"] and passage.speaker:
        reasons.append(f"by {passage.speaker[:40]}")
    if features["period"] or features["day"]:
        reasons.append(f"on {passage.occurred_at[:10]}")
    if absent:
        reasons.append("nothing has " + ", ".join(spelled.get(term, term)[:40] for term in absent[:3]))
    return "; ".join(reasons)
