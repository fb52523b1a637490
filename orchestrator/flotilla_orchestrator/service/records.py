"""What the API tells of runs, and the shapes of that."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlalchemy import Connection, select

from ..journal.interrupted import as_stopped
from ..journal.journal import FOLLOWED_BY, SPANS, Journal, Run, Span, span_id_for
from ..journal.ledger import Ledger
from ..journal.runs_list import Listed
from ..run_request import REQUESTED_BY
from ..views.result import as_record


class Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class WaitsFor(Shape):
    """A call, or a step, that a person has to decide about."""

    tool: str
    of: str
    approval_id: str


class ListedRun(Shape):
    """A run in a list. `cost_usd` is at list prices, and null while nothing is known of it."""

    run_id: str
    playbook: str
    model: str
    state: str
    started_at: str = Field(description="ISO 8601, UTC; while it is queued, when it was")
    ended_at: str | None
    seconds: float
    agents: int
    turns: int
    cost_usd: float | None
    waits_for: list[WaitsFor]
    requested_by: str | None = Field(description="whose token asked for it; null: it was not asked for over the API")


class RunPage(Shape):
    """Runs, newest first. `next_cursor` is null on the last page."""

    items: list[ListedRun]
    next_cursor: str | None


class RunRecord(Shape):
    """A run as `flotilla show --json` tells it, and who asked for it."""

    run_id: str
    playbook: str
    model: str
    task: str
    inputs: dict[str, JsonValue]
    status: str
    started_at: str
    ended_at: str | None
    output: dict[str, JsonValue] | None
    error: dict[str, JsonValue] | None
    versions: dict[str, JsonValue]
    totals: dict[str, JsonValue]
    ledger: dict[str, JsonValue] | None
    after: list[dict[str, JsonValue]]
    requested_by: str | None


class RunState(Shape):
    """What a run is doing now, as far as it was told to."""

    run_id: str
    state: str


async def run_record(journal: Journal, run: Run, stopped_at: str | None = None) -> dict[str, Any]:
    """`stopped_at`: when the process stopped that was at work on it, if it could not record that itself."""
    spans, entries = await journal.spans(run.run_id), await Ledger(journal.database).entries(run.run_id)
    if stopped_at:
        run, spans = as_stopped(run, spans, stopped_at)
    requesters = await journal.query(requesters_of, [run.run_id])
    return {**as_record(run, spans, entries), REQUESTED_BY: requesters.get(run.run_id)}


def queued_record(run: Run, requester: str | None) -> dict[str, Any]:
    """Of a run that has just been put into the queue, as `run_record` would read it."""
    span = Span(run.run_id, None, "run", run.playbook, {})
    return {**as_record(run, [span], []), REQUESTED_BY: requester}


async def listed_records(journal: Journal, runs: Sequence[Listed]) -> list[dict[str, Any]]:
    requesters = await journal.query(requesters_of, [run.run_id for run in runs])
    return [{**asdict(run), "seconds": round(run.seconds, 3), REQUESTED_BY: requesters.get(run.run_id)} for run in runs]


def requesters_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
    """Who asked for these runs, as far as it is known."""
    span_ids = [span_id_for(run_id) for run_id in run_ids]
    query = select(SPANS.c.run_id, SPANS.c.attributes).where(SPANS.c.span_id.in_(span_ids))
    found = {run_id: attributes.get(REQUESTED_BY) for run_id, attributes in connection.execute(query)}
    return {run_id: requester for run_id, requester in found.items() if requester}


def people_behind(connection: Connection, run_id: str) -> set[str]:
    """Whoever asked for the run, or for another turn of it: they decide nothing that it waits for."""
    query = select(SPANS.c.attributes).where(SPANS.c.span_id == span_id_for(run_id))
    attributes: dict[str, Any] = connection.scalar(query) or {}
    return {str(name) for name in (attributes.get(REQUESTED_BY), *attributes.get(FOLLOWED_BY, [])) if name}
