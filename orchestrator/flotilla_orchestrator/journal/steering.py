"""Steering events of runs, in order: pause, resume, cancel, or a message for the lead."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, Table, Text, delete, func, insert, select

from .journal import RUNS, now

_OVERLAP = 100
Kind = Literal["pause", "resume", "cancel", "message"]

STEERING = Table(
    "steering",
    MetaData(),
    Column("seq", Integer, primary_key=True),
    *(Column(name, Text) for name in ("run_id", "kind", "text", "at")),
)


@dataclass(frozen=True)
class SteeringEvent:
    """A pause, resume, cancellation or message; `text` is that of a message."""

    seq: int
    kind: Kind
    text: str


def append_event(connection: Connection, run_id: str, kind: Kind, text: str = "") -> None:
    connection.execute(insert(STEERING).values(run_id=run_id, kind=kind, text=text, at=now()))


def events_of(connection: Connection, run_id: str) -> list[SteeringEvent]:
    """All of a run."""
    query = select(STEERING.c.seq, STEERING.c.kind, STEERING.c.text).order_by(STEERING.c.seq)
    return [SteeringEvent(*row) for row in connection.execute(query.where(STEERING.c.run_id == run_id))]


def latest_events(connection: Connection, newest: int) -> tuple[int, list[tuple[str, SteeringEvent]]]:
    """The number of the newest event, and the latest ones of all runs, each with its run.

    Those before `newest` are among them: of two that are written at once, the one with the lower number may be
    committed later; and numbers are used again once events were removed.
    """
    found = connection.scalar(select(func.max(STEERING.c.seq))) or 0
    query = select(STEERING.c.run_id, STEERING.c.seq, STEERING.c.kind, STEERING.c.text).order_by(STEERING.c.seq)
    rows = connection.execute(query.where(STEERING.c.seq > min(newest, found) - _OVERLAP))
    return found, [(run_id, SteeringEvent(*event)) for run_id, *event in rows]


def forget_cancellation(connection: Connection, run_id: str) -> None:
    """What a run that has ended was told about its end does not hold for a further turn."""
    ended = STEERING.c.kind.in_(["pause", "resume", "cancel"])
    connection.execute(delete(STEERING).where(STEERING.c.run_id == run_id, ended))


def is_paused(connection: Connection, run_id: str) -> bool:
    return bool(connection.scalar(select(paused()).where(RUNS.c.run_id == run_id)))


def paused() -> ColumnElement[bool]:
    """Whether a run of `RUNS` was paused and not resumed since."""
    last = select(STEERING.c.kind).where(STEERING.c.run_id == RUNS.c.run_id, STEERING.c.kind.in_(["pause", "resume"]))
    return last.order_by(STEERING.c.seq.desc()).limit(1).scalar_subquery() == "pause"
