"""Runs that wait in the queue for somebody to work on them: how they get there, and how many may."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ..errors import Failure
from .changes import record_change
from .journal import ENDED, FOLLOWED_BY, RUNS, SPANS, Journal, Run, Span, now, span_id_for
from .queue_outbox import QueuedWorkflow, add_to_outbox
from .steering import STEERING, forget_cancellation


async def queue_run(
    journal: Journal, run: Run, span: Span, workflow: QueuedWorkflow, backlog: int | None = None
) -> Run | None:
    """A run that nobody works on yet, with its span and the workflow to be queued.

    If there is a run of its id, this returns that one and changes nothing.

    Args:
        backlog: how many runs may wait so, at most.

    Raises:
        Failure: `backlog_full`.
    """
    run.status = span.status = "queued"
    return await journal.database.write_unique(_queue, asdict(run), asdict(span), workflow, backlog)


async def requeue_run(
    journal: Journal, run: Run, requester: str | None, workflow: QueuedWorkflow, backlog: int | None = None
) -> None:
    """A run that has ended, and is as it was when `run` was read, waits again for somebody to work on it.

    Args:
        requester: who wants that, if it is known.

    Raises:
        Failure: `run_not_ended`, `backlog_full`.
    """
    await journal.database.write(_requeue, run.run_id, run.ended_at, requester, workflow, backlog)


def run_not_ended(run_id: str) -> Failure:
    return Failure("run_not_ended", f"{run_id} has not ended.", "Say it to the run that is at work.")


def runs_not_to_wait(connection: Connection, taken: Collection[str]) -> set[str]:
    """All queued runs that were cancelled, and those of `taken` that are not queued: they have begun before."""
    cancelled = select(STEERING.c.seq).where(STEERING.c.run_id == RUNS.c.run_id, STEERING.c.kind == "cancel").exists()
    found = set(connection.scalars(select(RUNS.c.run_id).where(RUNS.c.status == "queued", cancelled)))
    queued = select(RUNS.c.run_id).where(RUNS.c.run_id.in_(taken), RUNS.c.status == "queued")
    return found | (set(taken) - set(connection.scalars(queued)))


def still_beginning(connection: Connection, admitted: Collection[str]) -> set[str]:
    """Those of these runs that have neither ended nor got to a session or a question."""
    further = select(SPANS.c.span_id).where(SPANS.c.run_id == RUNS.c.run_id, SPANS.c.kind != "run").exists()
    unended = RUNS.c.status.in_(["queued", "running"])
    return set(connection.scalars(select(RUNS.c.run_id).where(RUNS.c.run_id.in_(admitted), unended, ~further)))


def _queue(
    connection: Connection, run: dict[str, Any], span: dict[str, Any], workflow: QueuedWorkflow, backlog: int | None
) -> Run | None:
    known = connection.execute(select(RUNS).where(RUNS.c.run_id == run["run_id"])).mappings().one_or_none()
    if known is not None:
        return Run(**known)
    _refuse_if_full(connection, backlog)
    connection.execute(insert(RUNS), run)
    connection.execute(insert(SPANS), span)
    record_change(connection, run["run_id"], span["span_id"])
    add_to_outbox(connection, workflow, run["started_at"])
    return None


def _requeue(
    connection: Connection,
    run_id: str,
    ended_at: str | None,
    requester: str | None,
    workflow: QueuedWorkflow,
    backlog: int | None,
) -> None:
    _refuse_if_full(connection, backlog)
    same = RUNS.c.status.in_(ENDED), RUNS.c.ended_at == ended_at
    again = update(RUNS).where(RUNS.c.run_id == run_id, *same).values(status="queued", ended_at=None)
    if connection.execute(again).rowcount != 1:
        raise run_not_ended(run_id)
    forget_cancellation(connection, run_id)
    add_to_outbox(connection, workflow, now())
    if requester:
        _add_follower(connection, run_id, requester)


def _add_follower(connection: Connection, run_id: str, requester: str) -> None:
    which = SPANS.c.span_id == span_id_for(run_id)
    attributes: dict[str, Any] | None = connection.scalar(select(SPANS.c.attributes).where(which))
    if attributes is None:
        return
    followers = [*attributes.get(FOLLOWED_BY, []), requester]
    connection.execute(update(SPANS).where(which).values(attributes={**attributes, FOLLOWED_BY: followers}))
    record_change(connection, run_id, span_id_for(run_id))


def _refuse_if_full(connection: Connection, backlog: int | None) -> None:
    if backlog is None:
        return
    waiting = connection.scalar(select(func.count()).select_from(RUNS).where(RUNS.c.status == "queued")) or 0
    if waiting >= backlog:
        message, suggestion = f"{waiting} runs wait in the queue already.", "Send it again in a while."
        details = {"queued": waiting, "backlog": backlog}
        raise Failure("backlog_full", message, suggestion, retryable=True, details=details)
