"""Steering events of runs, in order: pause, resume, cancel, or a message for the lead."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, Table, Text, delete, insert, select

from .journal import RUNS, now

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


def events_after(connection: Connection, run_id: str, seq: int) -> list[SteeringEvent]:
    """The events after that one."""
    query = select(STEERING.c.seq, STEERING.c.kind, STEERING.c.text).order_by(STEERING.c.seq)
    query = query.where(STEERING.c.run_id == run_id, STEERING.c.seq > seq)
    return [SteeringEvent(*row) for row in connection.execute(query)]


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
