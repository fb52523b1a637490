"""BM25 over the windows of a passage: alone, with its neighbours, with more around it, and over its whole episode."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..statements import listed
from . import ranking, reads
from .candidates import BEFORE, BEHIND, Matches, Passage

Scores = tuple[float, float, float, float, float, float]
"""Alone, with one passage before and behind, with `BEFORE` and `BEHIND` of them, of the episode; then, alone, of its
best passage, and of a question that stands before the passage."""

Turns = Sequence[tuple[int, int]]
"""Passages of an episode in order, each with its terms."""


def windows_of(conn: Connection, found: Matches, passages: Sequence[Passage], questions: Set[int]) -> list[Scores]:
    """The scores of each passage; `questions` are the passages that ask something. A memory stands alone."""
    episodes = _episodes(conn, passages)
    place = {key: (episode, at) for episode, turns in episodes.items() for at, (key, _) in enumerate(turns)}
    of_episodes = _of_episodes(found, episodes, place)
    windows = [_Window.of(passage.passage_key, *place[passage.passage_key], episodes) for passage in passages]
    counted = _counted(found, {key for window in windows for key in window.around})
    near = _scores(found, counted, [(window.near, window.near_terms) for window in windows])
    around = _scores(found, counted, [(window.around, window.around_terms) for window in windows])
    own = [found.scores.get(window.key, 0.0) for window in windows]
    asked = [found.scores.get(window.before, 0.0) if window.before in questions else 0.0 for window in windows]
    episode = [of_episodes[window.episode] for window in windows]
    best_of = {key: max([found.scores.get(of, 0.0) for of, _ in turns]) for key, turns in episodes.items()}
    best = [best_of[window.episode] for window in windows]
    return list(zip(own, near, around, episode, best, asked, strict=True))


class _Window(NamedTuple):
    key: int
    episode: int
    before: int
    """The passage before it; 0 if there is none."""
    near: Sequence[int]
    near_terms: int
    around: Sequence[int]
    around_terms: int

    @classmethod
    def of(cls, key: int, episode: int, at: int, episodes: Mapping[int, Turns]) -> "_Window":
        turns = episodes[episode]
        if len(turns) == 1:
            return cls(key, episode, 0, (key,), turns[0][1], (key,), turns[0][1])
        near, around = turns[max(0, at - 1) : at + 2], turns[max(0, at - BEFORE) : at + BEHIND + 1]
        keys, lengths = zip(*near, strict=True)
        all_keys, all_lengths = zip(*around, strict=True)
        return cls(key, episode, keys[0] if at else 0, keys, sum(lengths), all_keys, sum(all_lengths))


def _counted(found: Matches, keys: Set[int]) -> dict[int, list[tuple[str, int]]]:
    """Of each of these passages the terms that it has, and how often."""
    counted: dict[int, list[tuple[str, int]]] = {}
    for term, having in found.counts.items():
        for key in having.keys() & keys:
            counted.setdefault(key, []).append((term, having[key]))
    return counted


def _scores(
    found: Matches, counted: Mapping[int, Sequence[tuple[str, int]]], windows: Sequence[tuple[Sequence[int], int]]
) -> list[float]:
    """BM25 of each window, given its passages and its terms."""
    average = max(1.0, sum(terms for _, terms in windows) / len(windows))
    scores: list[float] = []
    for keys, terms in windows:
        together: dict[str, int] = {}
        for key in keys:
            for term, count in counted.get(key, ()):
                together[term] = together.get(term, 0) + count
        norm = ranking.norm(terms, average)
        # In the order of terms, for the same sum everywhere.
        scores.append(sum([ranking.saturated(found.rarity[term], together[term], norm) for term in sorted(together)]))
    return scores


def _episodes(conn: Connection, passages: Sequence[Passage]) -> dict[int, Turns]:
    """The episodes that the passages are of, whole; those of memories under keys that no episode has."""
    episodes: dict[int, list[tuple[int, int]]] = {}
    if keys := sorted({passage.episode_key for passage in passages if passage.episode_key is not None}):
        rows: list[Any] = reads.of_episodes().all(conn, {"keys": listed(keys)})
        for episode, key, terms in rows:
            episodes.setdefault(episode, []).append((key, terms))
    for passage in passages:
        if passage.episode_key is None:
            episodes[-passage.passage_key] = [(passage.passage_key, passage.terms)]
    return dict(episodes)


def _of_episodes(
    found: Matches, episodes: Mapping[int, Turns], place: Mapping[int, tuple[int, int]]
) -> dict[int, float]:
    """BM25 of each episode as a whole."""
    lengths = {episode: sum([terms for _, terms in turns]) for episode, turns in episodes.items()}
    average = max(1.0, sum(lengths.values()) / len(lengths))
    norms = {episode: ranking.norm(length, average, ranking.B_EPISODE) for episode, length in lengths.items()}
    scores = dict.fromkeys(episodes, 0.0)
    for term, weight in found.rarity.items():
        having = found.counts[term]
        together: dict[int, int] = {}
        for key in having.keys() & place.keys():
            episode = place[key][0]
            together[episode] = together.get(episode, 0) + having[key]
        for episode, count in together.items():
            scores[episode] += ranking.saturated(weight, count, norms[episode])
    return scores
