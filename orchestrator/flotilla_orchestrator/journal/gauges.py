"""How many runs have not ended, in which state, and what waits for people, at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from .journal import RUNS, SPANS, UNFINISHED
from .runs_list import state


@dataclass(frozen=True)
class Gauges:
    """Attributes:
    runs: how many that have not ended are in each state; of `queued`, `running`, `waiting` and `paused`, all are there.
    waiting: how many calls and questions of them wait for a person.
    oldest: since when the oldest of those waits.
    """

    runs: Mapping[str, int]
    waiting: int
    oldest: str | None


def read_gauges(connection: Connection) -> Gauges:
    open_runs = RUNS.c.status.in_(UNFINISHED)
    counted = select(state().label("state"), func.count().label("number")).where(open_runs).group_by("state")
    runs: dict[str, int] = dict.fromkeys(("queued", "running", "waiting", "paused"), 0)
    runs |= {row.state: row.number for row in connection.execute(counted)}
    of_open = SPANS.c.run_id.in_(select(RUNS.c.run_id).where(open_runs))
    asked_at = SPANS.c.attributes["approval"]["asked_at"].as_string()
    waits = select(func.count(), func.min(asked_at)).where(of_open, SPANS.c.status == "waiting")
    number, oldest = connection.execute(waits).one()
    return Gauges(runs, number, oldest)
