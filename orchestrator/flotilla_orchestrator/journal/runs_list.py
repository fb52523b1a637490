"""The runs of a journal, newest first: what each is doing, took, and waits for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from .journal import RUNS, SPANS, seconds_between
from .steering import paused


@dataclass(frozen=True)
class Waits:
    """A call that a person has to decide about. `of` is the amount at stake, or the tool's name."""

    tool: str
    of: str
    approval_id: str


@dataclass(frozen=True)
class Listed:
    """`cost_usd` is None while no session has a cost; a rehearsal's is at list prices.

    `resume_command` resumes it, where no process is at work on it and it has not ended.
    """

    run_id: str
    playbook: str
    model: str
    state: str
    started_at: str
    ended_at: str | None
    agents: int
    turns: int
    cost_usd: float | None
    waits_for: tuple[Waits, ...] = ()
    resume_command: str | None = None

    @property
    def seconds(self) -> float:
        return seconds_between(self.started_at, self.ended_at)


def state(stopped: Collection[str] = ()) -> ColumnElement[str]:
    """A run's status; `paused`; `waiting` while a person has to decide, whether a process is at work or not.

    Args:
        stopped: runs that no process is at work on any more, though they are recorded as running.
    """
    status = case((RUNS.c.run_id.in_(stopped), "interrupted"), else_=RUNS.c.status) if stopped else RUNS.c.status
    waits = select(SPANS.c.span_id).where(SPANS.c.run_id == RUNS.c.run_id, SPANS.c.status == "waiting").exists()
    going = RUNS.c.status.in_(["running", "interrupted"])
    return case((and_(going, paused()), "paused"), (and_(going, waits), "waiting"), else_=status)


def listed(
    connection: Connection,
    only: str | None,
    limit: int,
    stop_times: Mapping[str, str],
    resume_commands: Mapping[str, str],
    playbook: str | None = None,
    after: tuple[str, str] | None = None,
) -> list[Listed]:
    """The newest runs, those in one state or all.

    Args:
        stop_times: of the runs that no process is at work on any more, though they are recorded as running.
        resume_commands: by run.
        playbook: only its runs.
        after: only runs that come after the one that began then and has this id.
    """
    names = ("run_id", "playbook", "model", "started_at", "ended_at")
    newest = select(*(RUNS.c[name] for name in names), state(stop_times).label("state"))
    if only:
        newest = newest.where(state(stop_times) == only)
    if playbook:
        newest = newest.where(RUNS.c.playbook == playbook)
    if after:
        began, run_id = after
        same = and_(RUNS.c.started_at == began, RUNS.c.run_id > run_id)
        newest = newest.where(or_(RUNS.c.started_at < began, same))
    newest = newest.order_by(RUNS.c.started_at.desc(), RUNS.c.run_id).limit(limit).subquery()
    sessions = and_(SPANS.c.run_id == newest.c.run_id, SPANS.c.kind == "session")
    used = (
        func.count(SPANS.c.span_id).label("agents"),
        func.coalesce(func.sum(SPANS.c.turns), 0).label("turns"),
        func.sum(SPANS.c.cost_usd).label("cost_usd"),
    )
    query = select(newest, *used).outerjoin(SPANS, sessions).group_by(*newest.c)
    query = query.order_by(newest.c.started_at.desc(), newest.c.run_id)
    runs = [Listed(**row) for row in connection.execute(query).mappings()]
    waits = _waits(connection, [run.run_id for run in runs if run.state == "waiting"])
    return [
        replace(
            run,
            ended_at=stop_times.get(run.run_id, run.ended_at),
            waits_for=tuple(waits.get(run.run_id, ())),
            resume_command=resume_commands.get(run.run_id),
        )
        for run in runs
    ]


def _waits(connection: Connection, run_ids: list[str]) -> dict[str, list[Waits]]:
    found: dict[str, list[Waits]] = {}
    query = select(SPANS.c.run_id, SPANS.c.name, SPANS.c.attributes).order_by(SPANS.c.started_at)
    query = query.where(SPANS.c.run_id.in_(run_ids), SPANS.c.status == "waiting")
    for run_id, name, attributes in connection.execute(query):
        approval = attributes["approval"]
        found.setdefault(run_id, []).append(Waits(name, approval["of"], approval["approval_id"]))
    return found
