"""Writes of episodes: a new one, one that is known, or further turns of one that goes on."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from flotilla_kit.errors import Conflict
from sqlalchemy import Connection, insert, select

from ..records import Episode, Turn
from ..schema import episodes, passages
from . import entities, ids
from .passages import add

e, p = episodes.c, passages.c
Outcome = Literal["created", "extended", "duplicate"]


class EpisodeChanged(Conflict):
    """What was recorded once stays as it was said."""

    code = "episode_changed"


def record(conn: Connection, account_key: int, episode: Episode, now: str) -> tuple[str, Outcome]:
    """Write an episode of a locked account, once; its id.

    Raises:
        EpisodeChanged: its external id is known with other turns than these begin with. Nothing was written.
    """
    content = ids.content_hash(episode.channel, episode.occurred_at, *_said(episode.turns))
    known = conn.execute(
        select(e.episode_key, e.episode_id, e.content_hash).where(
            e.account_key == account_key,
            e.content_hash == content if episode.external_id is None else e.external_id == episode.external_id,
        )
    ).first()
    if known is None:
        episode_id = ids.new("ep")
        row = {
            "episode_id": episode_id,
            "account_key": account_key,
            "channel": episode.channel,
            "title": episode.title,
            "occurred_at": episode.occurred_at,
            "external_id": episode.external_id,
            "uri": episode.uri,
            "content_hash": content,
            "recorded_at": now,
        }
        key = conn.execute(insert(episodes).returning(e.episode_key), row).scalar_one()
        _add_turns(conn, account_key, key, episode_id, episode, 0)
        return episode_id, "created"
    if known.content_hash == content:
        return str(known.episode_id), "duplicate"
    of_episode = select(p.speaker, p.text).where(p.episode_key == known.episode_key).order_by(p.position)
    before = [(speaker, text) for speaker, text in conn.execute(of_episode)]
    if before != [(turn.speaker, turn.text) for turn in episode.turns[: len(before)]]:
        raise EpisodeChanged(
            "An episode with that external_id was recorded with other turns.",
            suggestion="Give what followed as further turns after the recorded ones, or use another external_id.",
            details={"episode_id": known.episode_id, "turns": len(before)},
        )
    conn.execute(episodes.update().where(e.episode_key == known.episode_key).values(content_hash=content))
    if len(before) == len(episode.turns):
        return str(known.episode_id), "duplicate"
    _add_turns(conn, account_key, known.episode_key, known.episode_id, episode, len(before))
    return str(known.episode_id), "extended"


def _add_turns(
    conn: Connection, account_key: int, episode_key: int, episode_id: str, episode: Episode, known: int
) -> None:
    entities.find_or_make(conn, account_key, {turn.speaker: "person" for turn in episode.turns[known:] if turn.speaker})
    rows: list[dict[str, Any]] = [
        {
            "passage_id": f"{episode_id}#{position}",
            "kind": "turn",
            "episode_key": episode_key,
            "position": position,
            "speaker": turn.speaker,
            "text": turn.text,
            "occurred_at": turn.occurred_at or episode.occurred_at,
        }
        for position, turn in enumerate(episode.turns[known:], known + 1)
    ]
    add(conn, account_key, rows)


def _said(turns: Sequence[Turn]) -> list[str]:
    return [json.dumps([turn.speaker, turn.text]) for turn in turns]
