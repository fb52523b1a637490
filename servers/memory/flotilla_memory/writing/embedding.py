"""Vectors for passages that have none: read in small batches, encoded outside of any transaction, and then kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from flotilla_kit.storage.statements import insert_new
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from ..schema import accounts, encoded, passages, vectors

BATCH = 32  # passages: what has been encoded when the process ends, and is not kept yet, is lost
a, e, p, v = accounts.c, encoded.c, passages.c, vectors.c


@dataclass(frozen=True)
class Waiting:
    """Passages of one account without a vector."""

    account_key: int
    texts: Sequence[tuple[int, str]]
    """Key and text of each."""


def adopt(conn: Connection, encoder: str) -> int:
    """Delete all vectors of other encoders, which can be compared with none of this one; of how many accounts."""
    others = list(conn.execute(select(e.account_key).where(e.encoder != encoder)).scalars())
    for account_key in others:
        conn.execute(delete(vectors).where(v.account_key == account_key))
        conn.execute(delete(encoded).where(e.account_key == account_key))
    return len(others)


def waiting(conn: Connection, encoder: str) -> Waiting | None:
    """Some of the passages that wait for their vector; None if there are none.

    Accounts that another process gives vectors of another encoder are left to it. Of the others any may be first, so
    that processes that do the same seldom encode the same.
    """
    behind = (
        select(a.account_key)
        .outerjoin(encoded, e.account_key == a.account_key)
        .where(a.passages > func.coalesce(e.passages, 0), or_(e.encoder.is_(None), e.encoder == encoder))
        .order_by(func.random())
        .limit(1)
    )
    account_key = conn.execute(behind).scalar()
    if account_key is None:
        return None
    without = (
        select(p.passage_key, p.text)
        .outerjoin(vectors, and_(v.account_key == p.account_key, v.passage_key == p.passage_key))
        .where(p.account_key == account_key, v.passage_key.is_(None))
        .limit(BATCH)
    )
    return Waiting(account_key, [(key, text) for key, text in conn.execute(without)])


def keep(conn: Connection, encoder: str, found: Waiting, made: Sequence[bytes]) -> None:
    """Write the vectors of passages that are still there, and still say what was encoded."""
    key = found.account_key
    if conn.execute(select(a.account_key).where(a.account_key == key)).scalar() is None:
        return
    dimension = len(made[0])
    insert_new(conn, encoded, [{"account_key": key, "encoder": encoder, "dimension": dimension, "passages": 0}])
    # With this row locked, nobody else writes vectors of the account.
    locked = select(e.encoder).where(e.account_key == key).with_for_update()
    if conn.execute(locked).scalar_one() != encoder:
        return
    keys = [passage for passage, _ in found.texts]
    known = set(conn.execute(select(v.passage_key).where(v.account_key == key, v.passage_key.in_(keys))).scalars())
    # A key may be another passage's by now: of one that was erased, nothing may stay.
    there = select(p.passage_key, p.text, p.episode_key).where(p.account_key == key, p.passage_key.in_(keys))
    now = {passage: (text, episode) for passage, text, episode in conn.execute(there)}
    rows = [
        {"account_key": key, "passage_key": passage, "episode_key": now[passage][1], "vector": vector}
        for (passage, text), vector in zip(found.texts, made, strict=True)
        if passage not in known and passage in now and now[passage][0] == text
    ]
    if rows:
        conn.execute(insert(vectors), rows)
        conn.execute(update(encoded).where(e.account_key == key).values(passages=e.passages + len(rows)))
