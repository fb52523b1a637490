"""What people have a run do: pause, go on, hear something, end, or make one more turn."""

from fastapi import APIRouter, Response

from ..errors import Failure
from ..run_request import RunRequest, check_task, checked_request
from ..runs.run_control import active_run, cancel_run, pause_run, resume_run, tell_run
from .bodies import RunId, TextBody
from .callers import Caller, Runner
from .problems import AsciiJson, documented
from .records import RunState
from .resources import Resources, ServiceResources
from .runs_api import known_run

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["steering"])
_RESPONSES = documented(404, 409)
_WITH_BODY = documented(404, 409, 413, 415)


@router.post("/pause", status_code=202, summary="Pause a run", response_model=RunState, responses=_RESPONSES)
async def pause(run_id: RunId, _: Runner, resources: Resources) -> Response:
    """Its sessions stop in front of their next calls."""
    return _state((await pause_run(resources.journal, run_id)).run_id, "pausing")


@router.post(
    "/resume", status_code=202, summary="Let a paused run go on", response_model=RunState, responses=_RESPONSES
)
async def resume(run_id: RunId, _: Runner, resources: Resources) -> Response:
    """Its sessions make the calls that they have stopped in front of."""
    await resume_paused(resources, run_id)
    return _state(run_id, "running")


@router.post("/cancel", status_code=202, summary="Cancel a run", response_model=RunState, responses=_RESPONSES)
async def cancel(run_id: RunId, _: Runner, resources: Resources) -> Response:
    """What is at work is stopped within a second or so, and the run ends; what was done stays done."""
    _run, ended = await cancel_run(resources.home, resources.journal, run_id)
    return _state(run_id, "cancelled" if ended else "cancelling")


@router.post("/messages", status_code=202, summary="Tell a run", response_model=RunState, responses=_WITH_BODY)
async def tell(run_id: RunId, body: TextBody, _: Runner, resources: Resources) -> Response:
    """Its lead hears it with the next result of a call, or gets another turn for it."""
    check_task(body.text)
    return _state((await tell_run(resources.journal, run_id, body.text)).run_id, "told")


@router.post("/follow-ups", status_code=202, summary="One more turn", response_model=RunState, responses=_WITH_BODY)
async def follow_up(run_id: RunId, body: TextBody, caller: Runner, resources: Resources) -> Response:
    """A run that has ended gets one more turn: its lead's session goes on with all that it knows."""
    await follow_run_up(resources, caller, run_id, body.text)
    return _state(run_id, "queued")


async def resume_paused(resources: ServiceResources, run_id: str) -> None:
    """Raises Failure `unknown_run`, `run_ended`, `run_not_paused`."""
    run = await active_run(resources.journal, run_id)
    if not await resume_run(resources.journal, run):
        raise Failure("run_not_paused", f"{run_id} is not paused.", "It goes on by itself once a worker is there.")


async def follow_run_up(resources: ServiceResources, caller: Caller, run_id: str, text: str) -> None:
    """Queue one more turn of a run that has ended.

    Raises:
        Failure: `unknown_run`, `no_lead`, `invalid_input`, `run_not_ended`, `run_forgotten`, `backlog_full`.
    """
    check_task(text)
    run = await known_run(resources.journal, run_id)
    playbook = resources.config.playbooks.get(run.playbook)
    if playbook is None or playbook.lead is None:
        raise Failure("no_lead", f"{run.playbook} has no lead that could go on.", "Start a new run.")
    request = RunRequest(run.run_id, run.playbook, run.model, run.task, {**run.inputs})
    _, checked = checked_request(resources.config, request, text)
    await resources.queue.follow(run, checked or text, caller.subject)


def _state(run_id: str, state: str) -> Response:
    return AsciiJson({"run_id": run_id, "state": state}, 202)
