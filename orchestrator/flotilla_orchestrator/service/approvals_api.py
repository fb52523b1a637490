"""What waits for people: calls, which their servers decide about, and steps, which the journal does."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from flotilla_kit.terminal.output import local_user
from pydantic import Field, JsonValue
from sqlalchemy import Connection, select

from ..durable.workflow_store import database_url
from ..errors import Failure
from ..fleet.approval_servers import approvals_of
from ..fleet.approvals import Approval
from ..fleet.approvals import Approvals as ApprovalDesk
from ..journal.journal import RUNS, SPANS, Run, Span
from ..runs import step_answers
from .approver_tokens import HEADER, ApproverToken, approver_tokens, token_for
from .bodies import DecisionBody, RunId, StepId
from .callers import ApprovalReader, Approver, Caller
from .problems import AsciiJson, documented
from .records import Shape, people_behind
from .resources import Resources, ServiceResources
from .runs_api import known_run

router = APIRouter(prefix="/v1", tags=["approvals"])

_MOST_QUESTIONS = 100

ApproverHeader = Annotated[
    str | None,
    Header(
        alias=HEADER,
        max_length=16_000,
        description="your token as an approver (several: separated by commas); each goes to the server it is for only",
    ),
]


class PendingApproval(Shape):
    """What a person has to decide about. `facts` are the server's own, `arguments` what would be called."""

    server: str | None = Field(description="null: a step of the run asks")
    step: str | None
    approval_id: str
    state: str
    requester: str
    run: str
    tool: str
    arguments: dict[str, JsonValue]
    facts: dict[str, JsonValue]
    created_at: str
    expires_at: str
    decided_by: str | None
    reason: str | None


class Approvals(Shape):
    """What waits, and why some servers could not be asked."""

    items: list[PendingApproval]
    problems: list[dict[str, JsonValue]]


@router.get("/approvals", summary="What waits for people", response_model=Approvals, responses=documented())
async def list_approvals(caller: ApprovalReader, resources: Resources, tokens: ApproverHeader = None) -> Response:
    """The calls that wait on the servers that your approver's tokens are for, and the questions of steps."""
    given = approver_tokens(tokens, caller)
    names = [name for name in sorted(resources.config.fleet.servers) if token_for(_audience(resources, name), given)]
    found = await asyncio.gather(*(_pending(resources, name, given) for name in names), return_exceptions=True)
    items: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    for name, one in zip(names, found, strict=True):
        if isinstance(one, list):
            items += [_told(name, approval) for approval in one]
        elif isinstance(one, Failure):
            problems.append({"server": name, **one.as_dict()})
        else:
            raise one
    questions = await resources.journal.query(_questions)
    items += [_told(None, step_answers.approval_of(run, span)) for run, span in questions]
    return AsciiJson({"items": items, "problems": problems})


@router.post(
    "/approvals/{server}/{approval_id}",
    summary="Decide about a call",
    response_model=PendingApproval,
    responses=documented(404, 409, 413, 415, 502),
)
async def decide_approval(
    server: Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,19}$")],
    approval_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$")],
    body: DecisionBody,
    caller: Approver,
    resources: Resources,
    tokens: ApproverHeader = None,
) -> Response:
    """The server decides whether your token may; whoever asked for the run may not."""
    if server not in resources.config.fleet.servers:
        raise Failure("unknown_server", f"There is no server {server}.", "See GET /v1/servers.")
    token = token_for(_audience(resources, server), approver_tokens(tokens, caller))
    if token is None:
        message = f"Only an approver of {server} can do this, and no token that was sent is for it."
        raise Failure("no_approver", message, f"Send yours in {HEADER}; the service has none.")
    desk = _desk(resources, server, token)
    async with resources.starting:
        run_id = (await desk.get(approval_id)).run
        await _refuse_own(resources, run_id, {caller.subject, token.subject})
        decided = await desk.decide(approval_id, body.decision, body.reason)
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
    journal = resources.journal
    run = await known_run(journal, run_id)
    span = await step_answers.question_span(journal, run_id, step)
    await _refuse_own(resources, run_id, {caller.subject})
    url = database_url(resources.home)
    await step_answers.decide(journal, url, span, body.decision, _name_of(caller), body.reason)
    span = await step_answers.question_span(journal, run_id, step)
    return AsciiJson(_told(None, step_answers.approval_of(run, span)))


def _audience(resources: ServiceResources, server: str) -> str:
    return resources.config.fleet.servers[server].audience or server


def _desk(resources: ServiceResources, server: str, token: ApproverToken) -> ApprovalDesk:
    found = resources.config.fleet.servers[server]
    return approvals_of(server, found, token.text, resources.config.folder, resources.environ)


async def _pending(resources: ServiceResources, server: str, tokens: list[ApproverToken]) -> list[Approval]:
    token = token_for(_audience(resources, server), tokens)
    assert token
    async with resources.starting:
        return await _desk(resources, server, token).list()


async def _refuse_own(resources: ServiceResources, run_id: str, subjects: set[str | None]) -> None:
    """Raises Failure `own_run`: nobody decides about what they have asked for."""
    if subjects & await resources.journal.query(people_behind, run_id):
        message = f"{run_id} was asked for by you."
        raise Failure("own_run", message, "Somebody else has to decide.")


def _name_of(caller: Caller) -> str:
    return caller.subject or local_user()


def _told(server: str | None, approval: Approval) -> dict[str, Any]:
    return {"server": server, "step": approval.tool if server is None else None, **approval.model_dump()}


def _questions(connection: Connection) -> list[tuple[Run, Span]]:
    """The newest that wait."""
    asked = select(SPANS).where(SPANS.c.kind == "approval", SPANS.c.status == "waiting")
    rows = connection.execute(asked.order_by(SPANS.c.started_at.desc()).limit(_MOST_QUESTIONS)).mappings()
    spans = [Span(**row) for row in rows]
    runs = select(RUNS).where(RUNS.c.run_id.in_([span.run_id for span in spans]))
    known = {row["run_id"]: Run(**row) for row in connection.execute(runs).mappings()}
    pairs = [(known[span.run_id], span) for span in spans]
    return [(run, span) for run, span in pairs if step_answers.question_approval(span)["state"] == "pending"]
