"""Writes of episodes: a new one, one that is known, or further turns of one that goes on."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from flotilla_kit.errors import Conflict
from sqlalchemy import Column, Connection, select

from ..records import Episode, Turn
from ..schema import episodes, passages
from ..statements import Named, find_named, insert_keyed
from . import entities, ids
from .passages import add

e, p = episodes.c, passages.c
Outcome = Literal["created", "extended", "duplicate"]


class EpisodeChanged(Conflict):
    """What was recorded once stays as it was said."""

    code = "episode_changed"


class _Given(NamedTuple):
    account_key: int
    episode: Episode
    content: str

    @property
    def external(self) -> Named | None:
        name = self.episode.external_id
        return None if name is None else (self.account_key, name)

    @property
    def said(self) -> Named:
        return self.account_key, self.content


class _Known(NamedTuple):
    episode_key: int
    episode_id: str
    content: str


def record(conn: Connection, account_key: int, episode: Episode, now: str) -> tuple[str, Outcome]:
    """Write an episode of a locked account, once; its id.

    Raises:
        EpisodeChanged: its external id is known with other turns than these begin with. Nothing was written.
    """
    (done,) = record_all(conn, [(account_key, episode)], now)
    return done


def record_all(conn: Connection, given: Sequence[tuple[int, Episode]], now: str) -> list[tuple[str, Outcome]]:
    """Write episodes of locked accounts, each with the key of its own, as `record` does.

    Raises:
        EpisodeChanged: as `record`; others may have been written.
    """
    return [done for run in _runs(given) for done in _record(conn, run, now)]


def _runs(given: Sequence[tuple[int, Episode]]) -> Iterator[list[_Given]]:
    """The episodes in order, in parts of which each is known before the part or not at all."""
    run: list[_Given] = []
    seen = set[Named | None]()
    for account_key, episode in given:
        content = ids.content_hash(episode.channel, episode.occurred_at, *_said(episode.turns))
        one = _Given(account_key, episode, content)
        if (one.external or one.said) in seen:
            yield run
            run, seen = [], set[Named | None]()
        run.append(one)
        seen |= {one.external, one.said}
    if run:
        yield run


def _record(conn: Connection, given: Sequence[_Given], now: str) -> list[tuple[str, Outcome]]:
    by_name = _known(conn, e.external_id, [one.external for one in given if one.external])
    by_content = _known(conn, e.content_hash, [one.said for one in given if not one.external])
    found = [by_name.get(one.external) if one.external else by_content.get(one.said) for one in given]
    rows = [_row(one, now) for one, known in zip(given, found, strict=True) if known is None]
    made = zip(insert_keyed(conn, episodes, rows), rows, strict=True)
    done: list[tuple[str, Outcome]] = []
    turns: list[dict[str, Any]] = []
    for one, known in zip(given, found, strict=True):
        if known is None:
            key, row = next(made)
            known, before, outcome = _Known(key, row["episode_id"], one.content), 0, "created"
        else:
            before = len(one.episode.turns) if known.content == one.content else _extend(conn, known, one)
            outcome = "duplicate" if before == len(one.episode.turns) else "extended"
        done.append((known.episode_id, outcome))
        turns += _turns(one, known, before)
    names = {(turn["account_key"], turn["speaker"]): "person" for turn in turns if turn["speaker"]}
    entities.find_or_make(conn, names)
    add(conn, turns)
    return done


def _known(conn: Connection, column: Column[Any], named: Sequence[Named]) -> dict[Named, _Known]:
    """The first episode of each name, which is in this column."""
    wanted = select(e.account_key, column, e.episode_key, e.episode_id, e.content_hash).order_by(e.episode_key.desc())
    rows = find_named(conn, wanted, e.account_key, column, named)
    return {(account_key, name): _Known(*of) for account_key, name, *of in rows}


def _extend(conn: Connection, known: _Known, given: _Given) -> int:
    """Note that an episode goes on; how many turns of it were recorded.

    Raises:
        EpisodeChanged: they are not the first of those given.
    """
    of_episode = select(p.speaker, p.text).where(p.episode_key == known.episode_key).order_by(p.position)
    before = [(speaker, text) for speaker, text in conn.execute(of_episode)]
    if before != [(turn.speaker, turn.text) for turn in given.episode.turns[: len(before)]]:
        raise EpisodeChanged(
            "An episode with that external_id was recorded with other turns.",
            suggestion="Give what followed as further turns after the recorded ones, or use another external_id.",
            details={"episode_id": known.episode_id, "turns": len(before)},
        )
    conn.execute(episodes.update().where(e.episode_key == known.episode_key).values(content_hash=given.content))
    return len(before)


def _row(given: _Given, now: str) -> dict[str, Any]:
    episode = given.episode
    return {
        "episode_id": ids.new("ep"),
        "account_key": given.account_key,
        "channel": episode.channel,
        "title": episode.title,
        "occurred_at": episode.occurred_at,
        "external_id": episode.external_id,
        "uri": episode.uri,
        "content_hash": given.content,
        "recorded_at": now,
    }


def _turns(given: _Given, known: _Known, before: int) -> list[dict[str, Any]]:
    """Of the passages of an episode, those behind the recorded ones."""
    return [
        {
            "passage_id": f"{known.episode_id}#{position}",
            "account_key": given.account_key,
            "kind": "turn",
            "episode_key": known.episode_key,
            "position": position,
            "speaker": turn.speaker,
            "text": turn.text,
            "occurred_at": turn.occurred_at or given.episode.occurred_at,
        }
        for position, turn in enumerate(given.episode.turns[before:], before + 1)
    ]


def _said(turns: Sequence[Turn]) -> list[str]:
    return [json.dumps([turn.speaker, turn.text]) for turn in turns]
