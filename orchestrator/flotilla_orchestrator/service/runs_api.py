"""Runs: start one, list them, get one."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from flotilla_kit.telemetry.trace_context import TRACEPARENT
from pydantic import JsonValue

from .. import provider
from ..errors import Failure
from ..journal.journal import Journal, Run
from ..journal.runs_list import listed
from ..run_request import REQUESTED_BY, RunRequest, checked_request, new_run_id
from ..runs.unattended import find_unattended
from .bodies import PlaybookName, RunBody, RunId, RunState
from .callers import Caller, Reader, Runner
from .gate import NEW_RUN
from .paging import page_of, position_of
from .problems import AsciiJson, documented
from .records import RunPage, RunRecord, listed_records, queued_record, run_record
from .resources import Resources, ServiceResources

router = APIRouter(prefix="/v1/runs", tags=["runs"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="the same key and body of the same caller are the same run, however often they are sent",
    ),
]


@router.post(
    "",
    status_code=202,
    summary="Start a run",
    response_model=RunRecord,
    responses={200: {"model": RunRecord, "description": "The run that this key has started"}}
    | documented(409, 413, 415),
)
async def start_run(
    body: RunBody, caller: Runner, resources: Resources, http: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    """Puts a run into the queue that all workers share; `Location` says where it is."""
    record, new = await submit_run(http, resources, caller, body, idempotency_key)
    return AsciiJson(record, 202 if new else 200, {"Location": f"/v1/runs/{record['run_id']}"})


@router.get("", summary="List runs", response_model=RunPage, responses=documented())
async def list_runs(
    _: Reader,
    resources: Resources,
    state: Annotated[RunState | None, Query()] = None,
    playbook: PlaybookName | None = None,
    cursor: Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Newest first. A run that begins while you page moves to the front, as it then began."""
    return AsciiJson(await run_page(resources, state, playbook, cursor, limit))


@router.get("/{run_id}", summary="Get a run", response_model=RunRecord, responses=documented(404))
async def get_run(run_id: RunId, _: Reader, resources: Resources) -> Response:
    """Its task, result, cost and limits."""
    run = await known_run(resources.journal, run_id)
    stopped_at = None
    if run.status == "running":  # only such a run can have lost its process without a record of it
        stopped_at = (await find_unattended(resources.journal, resources.home)).stop_times.get(run_id)
    return AsciiJson(await run_record(resources.journal, run, stopped_at))


async def known_run(journal: Journal, run_id: str) -> Run:
    """Raises Failure `unknown_run`."""
    if found := await journal.run(run_id):
        return found
    raise Failure("unknown_run", f"There is no run {run_id}.", "See GET /v1/runs.")


async def submit_run(
    http: Request, resources: ServiceResources, caller: Caller, body: RunBody, key: str | None
) -> tuple[dict[str, Any], bool]:
    """Put a run into the queue; its record, and whether it is new: the same key and body of a caller are the same run.

    Raises:
        Failure: the playbook does not take this, a guardrail denies it, nobody could be asked, or the queue is full;
            `idempotency_mismatch`.
    """
    request = _request(body, caller, resources, key)
    run, new = await resources.queue.submit(request)
    if not new:
        return await run_record(resources.journal, run), False
    http.scope["state"][NEW_RUN] = run.run_id
    return queued_record(run, caller.subject), True


async def run_page(
    resources: ServiceResources, state: str | None, playbook: str | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """A `RunPage`: runs, newest first; raises InvalidCursor."""
    after = position_of(cursor)
    left = await find_unattended(resources.journal, resources.home)
    found = await resources.journal.query(
        listed, state, limit + 1, left.stop_times, left.resume_commands, playbook, after
    )
    page, following = page_of(found, limit, lambda run: (run.started_at, run.run_id))
    return {"items": await listed_records(resources.journal, page), "next_cursor": following}


def _request(body: RunBody, caller: Caller, resources: ServiceResources, key: str | None) -> RunRequest:
    """Raises Failure: the playbook does not take this, a guardrail denies it, or nobody could be asked."""
    setting: dict[str, JsonValue] = {"configs": resources.configs, "yes": False, "sample": ""}
    if caller.subject:
        setting[REQUESTED_BY] = caller.subject
    run_id = _run_id(caller, key) if key else new_run_id()
    if resources.traces:
        setting[TRACEPARENT] = resources.traces.request_parent(run_id)
    request = RunRequest(run_id, body.playbook, body.model, body.task, body.inputs, setting, priority=body.priority)
    try:
        request, _ = checked_request(resources.config, request)
    except Failure as failure:
        suggestion = "Correct the playbook, the task or the inputs."
        raise Failure(failure.code, failure.message, suggestion, details=failure.details) from None
    if body.model == "claude":
        provider.live(resources.environ)  # without a credential nothing is begun
    return request


def _run_id(caller: Caller, key: str) -> str:
    """Of the run that a caller's key starts: the journal takes each id once. No other run's id begins so."""
    digest = hashlib.sha256("\n".join([caller.subject or "", key]).encode()).hexdigest()
    return f"run_k{digest[:24]}"
