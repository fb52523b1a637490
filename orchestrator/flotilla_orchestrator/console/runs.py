"""The list of runs, and a page for each: its trace while it runs, and what people have it do."""

from functools import partial
from typing import Annotated, get_args
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection, select
from starlette.responses import RedirectResponse

from ..config.fields import TOOL_NAME
from ..errors import Failure
from ..journal.interrupted import as_stopped
from ..journal.journal import ENDED, RUNS, Span
from ..journal.runs_list import state as listed_state
from ..run_request import check_task
from ..runs.run_control import cancel_run, pause_run, tell_run
from ..runs.unattended import find_unattended
from ..service.bodies import RunId, RunState
from ..service.callers import Caller, Reader, Runner
from ..service.control_api import follow_run_up, resume_paused
from ..service.records import requesters_of
from ..service.resources import Resources, ServiceResources
from ..service.runs_api import known_run, run_page
from ..views.trace_html import trace_context
from .changes import digest, newest_runs
from .changes import one_run as shown_run
from .forms import Form
from .pages import failure_page, render
from .sessions import PREFIX

router = APIRouter(prefix=f"{PREFIX}/runs")
_PAGE = 25
_STATES: tuple[str, ...] = get_args(RunState)


@router.get("")
async def runs_page(
    request: Request,
    _: Reader,
    resources: Resources,
    state: Annotated[str, Query(max_length=20)] = "",
    playbook: Annotated[str, Query(max_length=60)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Newest first."""
    now = await digest(resources, newest_runs)
    found = await run_page(resources, state or None, playbook or None, cursor, _PAGE)
    return render(
        request,
        "runs.html",
        digest=now,
        runs=found["items"],
        following=found["next_cursor"],
        state=state,
        playbook=playbook,
        cursor=cursor,
        states=_STATES,
        playbooks=sorted(resources.config.playbooks),
    )


@router.get("/{run_id}")
async def one_run(request: Request, run_id: RunId, _: Reader, resources: Resources) -> Response:
    return await _page(request, resources, run_id)


@router.post("/{run_id}/{action}")
async def steer(
    request: Request, run_id: RunId, action: str, caller: Runner, resources: Resources, form: Form
) -> Response:
    """Have a run do something; what went wrong is told on its page, where what was typed stays."""
    text = form.get("text", "").strip()
    try:
        await _do(resources, caller, run_id, action, text)
    except Failure as failure:
        if failure.code == "unknown_run" or "read" not in caller.scopes:
            return failure_page(request, failure)
        return await _page(request, resources, run_id, failure, text)
    return RedirectResponse(f"{PREFIX}/runs/{run_id}", 303)


async def _do(resources: ServiceResources, caller: Caller, run_id: str, action: str, text: str) -> None:
    """Raises Failure: as the function of the action; `not_found`: there is no such action."""
    match action:
        case "pause":
            await pause_run(resources.journal, run_id)
        case "resume":
            await resume_paused(resources, run_id)
        case "cancel":
            await cancel_run(resources.home, resources.journal, run_id)
        case "message":
            check_task(text)
            await tell_run(resources.journal, run_id, text)
        case "follow-up":
            await follow_run_up(resources, caller, run_id, text)
        case _:
            raise Failure("not_found", "There is no such action.", "See the page of the run.")


async def _page(
    request: Request, resources: ServiceResources, run_id: str, failure: Failure | None = None, text: str = ""
) -> Response:
    journal = resources.journal
    now = await digest(resources, partial(shown_run, run_id=run_id))
    run = await known_run(journal, run_id)
    spans = await journal.spans(run_id)
    left = await find_unattended(journal, resources.home) if run.status in ("running", "interrupted") else None
    resume_command = left and left.resume_commands.get(run_id)
    stopped_at = left and left.stop_times.get(run_id)
    state = await journal.query(_state, run_id, stopped=bool(stopped_at))
    if stopped_at:
        run, spans = as_stopped(run, spans, stopped_at)
    requesters = await journal.query(requesters_of, [run_id])
    playbook = resources.config.playbooks.get(run.playbook)
    return render(
        request,
        "run.html",
        422 if failure else 200,
        **trace_context(run, spans, resume_command),
        state=state,
        ended=run.status in ENDED,
        digest=now,
        waits=[_wait(span) for span in spans if span.status == "waiting"],
        requested_by=requesters.get(run_id),
        has_lead=playbook is not None and playbook.lead is not None,
        failure=failure,
        text=text,
    )


def _state(connection: Connection, run_id: str, *, stopped: bool) -> str:
    """As the list of runs has it: `waiting` and `paused` as well."""
    which = listed_state([run_id] if stopped else ())
    return str(connection.scalar(select(which).where(RUNS.c.run_id == run_id)))


def _wait(span: Span) -> dict[str, str]:
    """What waits for a person: its name, what is at stake, and where it is decided about."""
    approval = span.attributes.get("approval")
    found = approval if isinstance(approval, dict) else {}
    named = TOOL_NAME.fullmatch(str(span.attributes.get("tool") or ""))
    if named:
        path = f"{PREFIX}/approvals/{named['server']}/{quote(str(found.get('approval_id')), '')}"
        return {"name": named["tool"], "of": str(found.get("of") or ""), "path": path}
    return {"name": span.name, "of": "", "path": f"{PREFIX}/runs/{span.run_id}/steps/{quote(span.name, '')}"}
