"""A stream that says when a page is out of date; the page is then rendered anew, by the one code that renders it."""

import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from functools import partial

from fastapi import APIRouter, Response
from sqlalchemy import Connection, func, select

from ..errors import Failure
from ..journal.changes import CHANGES
from ..journal.journal import AT_WORK, RUNS, SPANS, UNFINISHED
from ..journal.steering import STEERING
from ..service.callers import ApprovalReader, Caller
from ..service.events import event_stream
from ..service.events_api import streamed
from ..service.resources import Resources, ServiceResources
from .sessions import PREFIX

router = APIRouter(prefix=f"{PREFIX}/changes")
_POLL_S = 0.5
_MOST = 500
StateQuery = Callable[[Connection], object]


@router.get("/approvals")
async def approvals_changed(caller: ApprovalReader, resources: Resources) -> Response:
    """Whenever something begins to wait for people, or waits no more."""
    return streamed(caller, _changes(resources, waiting_spans))


@router.get("/runs")
async def runs_changed(caller: ApprovalReader, resources: Resources) -> Response:
    """Whenever one of the newest runs begins, ends, waits or goes on."""
    return streamed(_reader(caller), _changes(resources, newest_runs))


@router.get("/runs/{run_id}")
async def run_changed(run_id: str, caller: ApprovalReader, resources: Resources) -> Response:
    """Whenever a span of the run changes."""
    return streamed(_reader(caller), _changes(resources, partial(one_run, run_id=run_id)))


async def digest(resources: ServiceResources, query: StateQuery) -> str:
    """Of what a page shows; taken before it is rendered, so that nothing is missed between page and stream."""
    return hashlib.sha256(json.dumps(await resources.journal.query(query)).encode()).hexdigest()[:16]


def _reader(caller: Caller) -> Caller:
    """Raises Failure `insufficient_scope`."""
    if "read" not in caller.scopes:
        raise Failure("insufficient_scope", "This takes a token with the scope read.", details={"scope": "read"})
    return caller


def _changes(resources: ServiceResources, query: StateQuery) -> AsyncGenerator[str]:
    """The digest now, and whenever it has changed, until this process's end."""
    last = ""

    async def news() -> tuple[list[str], bool]:
        nonlocal last
        before, last = last, await digest(resources, query)
        return ([] if last == before else [f"event: state\ndata: {last}\n\n"]), False

    return event_stream(resources, news, _POLL_S)


def waiting_spans(connection: Connection) -> object:
    query = select(SPANS.c.span_id).join(RUNS, RUNS.c.run_id == SPANS.c.run_id)
    query = query.where(RUNS.c.status.in_(AT_WORK), SPANS.c.status == "waiting")
    return list(connection.scalars(query.order_by(SPANS.c.span_id).limit(_MOST)))


def newest_runs(connection: Connection) -> object:
    """Without the runs that have ended: there may be many, and each was among the others before."""
    begun = select(RUNS.c.status, func.count(), func.max(RUNS.c.started_at)).where(RUNS.c.status.in_(UNFINISHED))
    rows = [list(row) for row in connection.execute(begun.group_by(RUNS.c.status).order_by(RUNS.c.status))]
    return [rows, waiting_spans(connection), _steered(connection)]


def one_run(connection: Connection, run_id: str) -> object:
    status = connection.scalar(select(RUNS.c.status).where(RUNS.c.run_id == run_id))
    seq = connection.scalar(select(func.max(CHANGES.c.seq)).where(CHANGES.c.run_id == run_id))
    return [status, seq, _steered(connection)]


def _steered(connection: Connection) -> int | None:
    return connection.scalar(select(func.max(STEERING.c.seq)))
