"""The inbox of what waits for people, a page for each approval, and the decisions."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy import Connection, select

from ..errors import Failure
from ..fleet.approvals import Approval
from ..journal.journal import ENDED, RUNS
from ..service.approvals import (
    Decision,
    approver_of,
    call_approval,
    decide_call,
    decide_step,
    servers_of,
    step_approval,
    waiting,
)
from ..service.approver_tokens import ApproverToken
from ..service.bodies import ApprovalId, DecisionBody, RunId, ServerName, StepId
from ..service.callers import ApprovalReader, Approver, Caller
from ..service.records import people_behind, requesters_of
from ..service.resources import Resources, ServiceResources
from .approval_view import ApprovalView
from .changes import digest, waiting_spans
from .forms import Form
from .pages import render
from .sessions import PREFIX
from .waiting_calls import waiting_elsewhere

router = APIRouter()
# Codes of a decision that was not counted, because the approval is over.
_OVER = {"approval_decided", "approval_expired", "approval_used"}


@router.get(f"{PREFIX}/")
async def inbox(request: Request, caller: ApprovalReader, resources: Resources) -> Response:
    """Those that expire first come first."""
    tokens = request.state.session.approver_tokens(caller)
    now = await digest(resources, waiting_spans)
    found = await waiting(resources, tokens)
    views = await _views(resources, caller, tokens, found.items)
    views.sort(key=lambda view: (bool(view.ended), view.own, view.approval.expires_at))
    asked = {server for token in tokens for server in servers_of(resources, token)}
    elsewhere = await waiting_elsewhere(resources, asked) if "read" in caller.scopes else []
    context: dict[str, Any] = {"views": views, "problems": found.problems, "elsewhere": elsewhere, "tokens": tokens}
    return render(request, "inbox.html", digest=now, **context)


@router.get(f"{PREFIX}/approvals/{{server}}/{{approval_id}}")
async def call_page(
    request: Request, server: ServerName, approval_id: ApprovalId, caller: ApprovalReader, resources: Resources
) -> Response:
    tokens = request.state.session.approver_tokens(caller)
    approval = await call_approval(resources, tokens, server, approval_id)
    return await _page(request, resources, caller, server, approval)


@router.post(f"{PREFIX}/approvals/{{server}}/{{approval_id}}")
async def decide_about_call(
    request: Request, server: ServerName, approval_id: ApprovalId, caller: Approver, resources: Resources, form: Form
) -> Response:
    """The page tells the outcome: of this decision, or of the one that was first."""
    tokens = request.state.session.approver_tokens(caller)
    decide = partial(decide_call, resources, caller, tokens, server, approval_id)
    current = partial(call_approval, resources, tokens, server, approval_id)
    return await _outcome(request, resources, caller, server, _decision(form), decide, current)


@router.get(f"{PREFIX}/runs/{{run_id}}/steps/{{step}}")
async def step_page(
    request: Request, run_id: RunId, step: StepId, caller: ApprovalReader, resources: Resources
) -> Response:
    return await _page(request, resources, caller, None, await step_approval(resources, run_id, step))


@router.post(f"{PREFIX}/runs/{{run_id}}/steps/{{step}}")
async def decide_about_step(
    request: Request, run_id: RunId, step: StepId, caller: Approver, resources: Resources, form: Form
) -> Response:
    decide = partial(decide_step, resources, caller, run_id, step)
    current = partial(step_approval, resources, run_id, step)
    return await _outcome(request, resources, caller, None, _decision(form), decide, current)


async def _outcome(
    request: Request,
    resources: ServiceResources,
    caller: Caller,
    server: str | None,
    body: DecisionBody,
    decide: Callable[[Decision, str], Awaitable[Approval]],
    current: Callable[[], Awaitable[Approval]],
) -> Response:
    """The page of the approval after this decision; of one that was not counted, as it is by the one that was."""
    try:
        decided = await decide(body.decision, body.reason)
    except Failure as failure:
        if failure.code not in _OVER:
            raise
        return await _page(request, resources, caller, server, await current(), late=body.decision)
    return await _page(request, resources, caller, server, decided, counted=True)


async def _page(
    request: Request,
    resources: ServiceResources,
    caller: Caller,
    server: str | None,
    approval: Approval,
    *,
    counted: bool = False,
    late: str = "",
) -> Response:
    tokens = request.state.session.approver_tokens(caller)
    (view,) = await _views(resources, caller, tokens, [(server, approval)])
    return render(request, "approval.html", 409 if late else 200, view=view, counted=counted, late=late)


def _decision(form: dict[str, str]) -> DecisionBody:
    """Raises Failure `invalid_arguments`."""
    try:
        return DecisionBody.model_validate({"decision": form.get("decision"), "reason": form.get("reason", "").strip()})
    except ValidationError as error:
        said = "; ".join(str(found["msg"]) for found in error.errors())
        raise Failure("invalid_arguments", f"That decision cannot be taken: {said}."[:500], "Go back.") from None


async def _views(
    resources: ServiceResources, caller: Caller, tokens: list[ApproverToken], items: list[tuple[str | None, Approval]]
) -> list[ApprovalView]:
    def behind(connection: Connection) -> tuple[dict[str, set[str]], dict[str, str], dict[str, str]]:
        run_ids = sorted({approval.run for _, approval in items})
        ended = select(RUNS.c.run_id, RUNS.c.status).where(RUNS.c.run_id.in_(run_ids), RUNS.c.status.in_(ENDED))
        ends = {row.run_id: row.status for row in connection.execute(ended)}
        return {run: people_behind(connection, run) for run in run_ids}, requesters_of(connection, run_ids), ends

    people, requesters, ends = await resources.journal.query(behind)
    views: list[ApprovalView] = []
    for server, approval in items:
        subjects: set[Any] = {caller.subject}
        if server is not None:
            subjects.add(approver_of(resources, server, tokens).subject)
        own = bool(subjects & people[approval.run])
        views.append(ApprovalView(server, approval, own, requesters.get(approval.run), ends.get(approval.run, "")))
    return views
