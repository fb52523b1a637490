"""What was promised, by whom, and whether it was kept."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, Select, func, or_, select

from ..models import Commitment
from ..retrieval.reads import believed
from ..schema import accounts, memories, passages
from .hits import sources

p, m = passages.c, memories.c
Wanted = Literal["open", "due", "kept", "broken"]
Position = tuple[str, int]
"""Day due and key of a commitment."""
_NO_DAY = "9999-12-31"


def commitments(
    conn: Connection,
    within: Select[int],
    wanted: Wanted,
    by: Sequence[str] | None,
    now: str,
    after: Position | None,
    limit: int,
    longest: int,
) -> list[tuple[Position, Commitment]]:
    """Believed commitments, the next due first; `due` are open ones whose day has come.

    Args:
        within: the keys of the accounts to look into.
        by: names of whoever promised; None for anybody.
    """
    due = func.coalesce(m.due_on, _NO_DAY)
    found = (
        select(p.passage_key, p.passage_id, p.text, p.speaker, m.due_on, m.status, m.recorded_at, due.label("due"),
               accounts.c.account_id)
        .join(memories, m.passage_key == p.passage_key)
        .join(accounts, accounts.c.account_key == p.account_key)
        .where(
            m.account_key.in_(within),
            m.status == ("open" if wanted == "due" else wanted),
            believed(now),
        )
        .order_by(due, p.passage_key)
        .limit(limit)
    )  # fmt: skip
    if wanted == "due":
        found = found.where(m.due_on <= now[:10])
    if by is not None:
        found = found.where(p.speaker.in_(by))
    if after is not None:
        found = found.where(or_(due > after[0], (due == after[0]) & (p.passage_key > after[1])))
    rows = conn.execute(found).all()
    cited = sources(conn, [row.passage_key for row in rows])
    return [
        (
            (row.due, row.passage_key),
            Commitment(
                memory_id=row.passage_id,
                text=row.text[:longest],
                truncated=len(row.text) > longest or None,
                by=row.speaker,
                account_id=row.account_id,
                due_on=row.due_on,
                status=row.status,
                overdue=(row.status == "open" and row.due_on is not None and row.due_on < now[:10]) or None,
                recorded_at=row.recorded_at,
                sources=cited.get(row.passage_key),
            ),
        )
        for row in rows
    ]
