"""Passages with their place in the index."""

from collections import defaultdict
from collections.abc import Sequence

from flotilla_kit.storage.statements import chunks
from sqlalchemy import Connection, select

from ..retrieval import index
from ..schema import episodes, memories, passages
from ..statements import Row, insert_keyed

p = passages.c


def add(conn: Connection, rows: Sequence[Row]) -> list[int]:
    """Insert passages and index them; their keys, in order.

    Args:
        rows: of the table `passages`, without key and terms.
    """
    counts = [index.count_terms(row["speaker"], row["text"]) for row in rows]
    keys = insert_keyed(
        conn, passages, [{**row, "terms": count.total()} for row, count in zip(rows, counts, strict=True)]
    )
    indexed = defaultdict[int, list[index.Indexed]](list)
    for row, key, count in zip(rows, keys, counts, strict=True):
        indexed[row["account_key"]].append(index.Indexed(key, count))
    index.add(conn, indexed)
    return keys


def resolve(conn: Connection, account_key: int, sources: Sequence[str]) -> dict[str, int]:
    """The passages of an account that sources name: by a passage's or episode's id, or by what an import called them.

    An episode stands for its first turn; `NAME:3` or `NAME#3` is the third turn of the episode with that external id.
    """
    found: dict[str, int] = {}
    for names in chunks(sorted(set(sources))):
        by_id = select(p.passage_id, p.passage_key).where(p.account_key == account_key, p.passage_id.in_(names))
        found |= {str(name): int(key) for name, key in conn.execute(by_id)}
        m = memories.c
        by_external = select(m.external_id, m.passage_key).where(m.account_key == account_key, m.external_id.in_(names))
        found |= {str(name): int(key) for name, key in conn.execute(by_external)}
        turns = {name: _episode_and_turn(name) for name in names if name not in found}
        wanted = sorted({episode for episode, _ in turns.values()} | set(turns))
        e = episodes.c
        for column in (e.episode_id, e.external_id):
            of_turns = (
                select(column, p.position, p.passage_key)
                .join(passages, p.episode_key == e.episode_key)
                .where(e.account_key == account_key, column.in_(wanted))
            )
            at = {(str(name), int(position)): int(key) for name, position, key in conn.execute(of_turns)}
            for name, (episode, turn) in turns.items():
                key = at.get((name, 1)) or at.get((episode, turn))
                if key is not None:
                    found.setdefault(name, key)
    return found


def _episode_and_turn(name: str) -> tuple[str, int]:
    episode, _, turn = name.replace("#", ":").rpartition(":")
    return (episode, int(turn)) if episode and turn.isascii() and turn.isdigit() and len(turn) < 10 else (name, 1)
