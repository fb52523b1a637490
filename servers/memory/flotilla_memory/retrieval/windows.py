"""BM25 over the windows of a passage: alone, with its neighbours, with more around it, and over its whole episode."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from ..schema import passages as table
from . import ranking
from .candidates import BEFORE, BEHIND, Matches, Passage

Scores = tuple[float, float, float, float, float]
"""Alone, with the passage before and behind, with `BEFORE` and `BEHIND` of them, of the episode; and of a question that
stands before the passage, alone."""

Turns = Sequence[tuple[int, int, bool]]
"""Passages of an episode in order: key, terms, and whether it is a question."""


def windows_of(conn: Connection, found: Matches, passages: Sequence[Passage]) -> list[Scores]:
    """The scores of each passage. A memory stands alone."""
    episodes = _episodes(conn, passages)
    place = {key: (episode, at) for episode, turns in episodes.items() for at, (key, _, _) in enumerate(turns)}
    average_near = _average(episodes.values(), 1, 1)
    average_around = _average(episodes.values(), BEFORE, BEHIND)
    of_episodes = _of_episodes(found, episodes)
    counts = [(weight, found.counts[term].get) for term, weight in found.rarity.items() if found.counts[term]]
    result: list[Scores] = []
    for passage in passages:
        episode, at = place[passage.passage_key]
        turns = episodes[episode]
        behind = turns[at + 2 : at + BEHIND + 1]
        before = turns[max(0, at - BEFORE) : max(0, at - 1)]
        beside = turns[max(0, at - 1) : at + 2]
        near_terms = sum(terms for _, terms, _ in beside)
        near_norm = ranking.norm(near_terms, average_near)
        around_terms = near_terms + sum(terms for _, terms, _ in before) + sum(terms for _, terms, _ in behind)
        around_norm = ranking.norm(around_terms, average_around)
        near = around = 0.0
        for weight, count in counts:
            in_near = sum([count(key, 0) for key, _, _ in beside])
            in_around = (
                in_near + sum([count(key, 0) for key, _, _ in before]) + sum([count(key, 0) for key, _, _ in behind])
            )
            if in_around:
                around += ranking.saturated(weight, in_around, around_norm)
                near += ranking.saturated(weight, in_near, near_norm)
        own = found.scores.get(passage.passage_key, 0.0)
        asked = found.scores.get(turns[at - 1][0], 0.0) if at and turns[at - 1][2] else 0.0
        result.append((own, near, around, of_episodes[episode], asked))
    return result


def _episodes(conn: Connection, passages: Sequence[Passage]) -> dict[int, Turns]:
    """The episodes that the passages are of, whole; those of memories under keys that no episode has."""
    episodes: dict[int, list[tuple[int, int, bool]]] = {}
    if keys := sorted({passage.episode_key for passage in passages if passage.episode_key is not None}):
        rows = conn.execute(
            select(table.c.episode_key, table.c.passage_key, table.c.terms, func.rtrim(table.c.text).like("%?"))
            .where(table.c.episode_key.in_(keys))
            .order_by(table.c.episode_key, table.c.position)
        )
        for episode, key, terms, asks in rows.all():
            episodes.setdefault(int(episode or 0), []).append((key, terms, bool(asks)))
    for passage in passages:
        if passage.episode_key is None:
            episodes[-passage.passage_key] = [(passage.passage_key, passage.terms, False)]
    return dict(episodes)


def _of_episodes(found: Matches, episodes: Mapping[int, Turns]) -> dict[int, float]:
    lengths = {episode: sum(terms for _, terms, _ in turns) for episode, turns in episodes.items()}
    average = max(1.0, sum(lengths.values()) / len(lengths))
    norms = {episode: ranking.norm(length, average, ranking.B_EPISODE) for episode, length in lengths.items()}
    scores = dict.fromkeys(episodes, 0.0)
    for term, weight in found.rarity.items():
        having = found.counts[term]
        for episode, turns in episodes.items():
            if count := sum([having[key] for key, _, _ in turns if key in having]):
                scores[episode] += ranking.saturated(weight, count, norms[episode])
    return scores


def _average(episodes: Iterable[Turns], before: int, behind: int) -> float:
    """Terms in a window of the passages of these episodes."""
    terms_in_all = windows = 0
    for turns in episodes:
        windows += len(turns)
        # A passage is in the windows of those around it: as many as there are within reach.
        for at, (_, terms, _) in enumerate(turns):
            terms_in_all += terms * (min(len(turns), at + before + 1) - max(0, at - behind))
    return max(1.0, terms_in_all / windows)
