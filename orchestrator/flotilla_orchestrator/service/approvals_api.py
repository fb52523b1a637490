"""The routes of what waits for people: calls, which their servers decide about, and steps, which the journal does."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import Field, JsonValue

from ..fleet.approvals import Approval
from . import approvals
from .approver_tokens import HEADER, approver_tokens
from .bodies import ApprovalId, DecisionBody, RunId, ServerName, StepId
from .callers import ApprovalReader, Approver
from .problems import AsciiJson, documented
from .records import Shape
from .resources import Resources

router = APIRouter(prefix="/v1", tags=["approvals"])

ApproverHeader = Annotated[
    str | None,
    Header(
        alias=HEADER,
        max_length=16_000,
        description="your token as an approver (several: separated by commas); each goes to the server it is for only",
    ),
]


class PendingApproval(Approval):
    """What a person has to decide about. `facts` are the server's own, `arguments` what would be called."""

    server: str | None = Field(description="null: a step of the run asks")
    step: str | None


class Approvals(Shape):
    """What waits, and why some servers could not be asked."""

    items: list[PendingApproval]
    problems: list[dict[str, JsonValue]]


@router.get("/approvals", summary="What waits for people", response_model=Approvals, responses=documented())
async def list_approvals(caller: ApprovalReader, resources: Resources, tokens: ApproverHeader = None) -> Response:
    """The calls that wait on the servers that your approver's tokens are for, and the questions of steps."""
    found = await approvals.waiting(resources, approver_tokens(tokens, caller))
    items = [_told(server, approval) for server, approval in found.items]
    problems = [{"server": server, **failure.as_dict()} for server, failure in found.problems]
    return AsciiJson({"items": items, "problems": problems})


@router.post(
    "/approvals/{server}/{approval_id}",
    summary="Decide about a call",
    response_model=PendingApproval,
    responses=documented(404, 409, 413, 415, 502),
)
async def decide_approval(
    server: ServerName,
    approval_id: ApprovalId,
    body: DecisionBody,
    caller: Approver,
    resources: Resources,
    tokens: ApproverHeader = None,
) -> Response:
    """The server decides whether your token may; whoever asked for the run may not."""
    given = approver_tokens(tokens, caller)
    decided = await approvals.decide_call(resources, caller, given, server, approval_id, body.decision, body.reason)
    return AsciiJson(_told(server, decided))


@router.post(
    "/runs/{run_id}/steps/{step}/decision",
    summary="Answer what a step asks",
    response_model=PendingApproval,
    responses=documented(404, 409, 413, 415),
)
async def decide_step(
    run_id: RunId, step: StepId, body: DecisionBody, caller: Approver, resources: Resources
) -> Response:
    """The first answer counts; whoever asked for the run may not give it."""
    decided = await approvals.decide_step(resources, caller, run_id, step, body.decision, body.reason)
    return AsciiJson(_told(None, decided))


def _told(server: str | None, approval: Approval) -> dict[str, Any]:
    return {"server": server, "step": approval.tool if server is None else None, **approval.model_dump()}
