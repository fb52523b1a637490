"""What has changed of a run since somebody looked: its spans as they are now, in the order of their last changes."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from .changes import CHANGES
from .journal import ENDED, RUNS, SPANS, Span

FROM_THE_START = -1


@dataclass(frozen=True)
class RunChanges:
    """`spans` have the number of their change; `ended`: nobody works on the run any more, or will."""

    ended: bool
    spans: list[tuple[int, Span]]


def changed_after(connection: Connection, run_id: str, seq: int) -> RunChanges | None:
    """What was changed after that; None if there is no such run."""
    status = connection.scalar(select(RUNS.c.status).where(RUNS.c.run_id == run_id))
    if status is None:
        return None
    number = func.coalesce(CHANGES.c.seq, 0).label("seq")  # spans of older versions have none
    query = select(SPANS, number).where(SPANS.c.run_id == run_id)
    which = SPANS.c.span_id == CHANGES.c.span_id
    if seq == FROM_THE_START:
        query = query.outerjoin(CHANGES, which)
    else:
        query = query.join(CHANGES, which).where(CHANGES.c.run_id == run_id, CHANGES.c.seq > seq)
    rows = connection.execute(query.order_by(number, SPANS.c.started_at)).mappings()
    spans = [(row["seq"], Span(**{name: value for name, value in row.items() if name != "seq"})) for row in rows]
    return RunChanges(status in ENDED, spans)
