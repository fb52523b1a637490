"""What waits for people, and their decisions: one way for the API and the console.

Calls are decided about by their servers, steps by the journal. Whoever asked for a run decides nothing about it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from flotilla_kit.terminal.output import local_user
from sqlalchemy import Connection, select

from ..durable.workflow_store import database_url
from ..errors import Failure
from ..fleet.approval_servers import approvals_of
from ..fleet.approvals import Approval, Approvals, approvals_over_http
from ..journal.journal import AT_WORK, RUNS, SPANS, Run, Span
from ..runs import step_answers
from .approver_tokens import HEADER, ApproverToken, token_for
from .callers import Caller
from .records import people_behind
from .resources import ServiceResources
from .runs_api import known_run

Decision = Literal["approve", "reject"]
_MOST_QUESTIONS = 100


@dataclass(frozen=True)
class Waiting:
    """`items` with their servers (None: a step asks); `problems`: why some servers could not be asked."""

    items: list[tuple[str | None, Approval]]
    problems: list[tuple[str, Failure]]


async def waiting(resources: ServiceResources, tokens: Sequence[ApproverToken]) -> Waiting:
    """The calls that wait on the servers that these tokens are for, and the questions of steps."""
    names = [name for name in sorted(resources.config.fleet.servers) if token_for(audience(resources, name), tokens)]
    found = await asyncio.gather(*(_pending(resources, name, tokens) for name in names), return_exceptions=True)
    items: list[tuple[str | None, Approval]] = []
    problems: list[tuple[str, Failure]] = []
    for name, one in zip(names, found, strict=True):
        if isinstance(one, list):
            items += [(name, approval) for approval in one]
        elif isinstance(one, Failure):
            problems.append((name, one))
        else:
            raise one
    questions = await resources.journal.query(_questions)
    items += [(None, step_answers.approval_of(run, span)) for run, span in questions]
    return Waiting(items, problems)


async def call_approval(
    resources: ServiceResources, tokens: Sequence[ApproverToken], server: str, approval_id: str
) -> Approval:
    """Raises Failure: as `decide_call`."""
    async with _desk(resources, server, approver_of(resources, server, tokens)) as desk:
        return await desk.get(approval_id)


async def decide_call(
    resources: ServiceResources,
    caller: Caller,
    tokens: Sequence[ApproverToken],
    server: str,
    approval_id: str,
    decision: Decision,
    reason: str,
) -> Approval:
    """Decide about a call, once.

    Raises:
        Failure: `unknown_server`; `no_approver`: none of the tokens is for it; `own_run`; or the server's refusal.
    """
    token = approver_of(resources, server, tokens)
    async with _desk(resources, server, token) as desk:
        run_id = (await desk.get(approval_id)).run
        await _refuse_own(resources, run_id, {caller.subject, token.subject})
        return await desk.decide(approval_id, decision, reason)


async def step_approval(resources: ServiceResources, run_id: str, step: str) -> Approval:
    """Raises Failure `unknown_run`, `unknown_approval`."""
    run = await known_run(resources.journal, run_id)
    return step_answers.approval_of(run, await step_answers.question_span(resources.journal, run_id, step))


async def decide_step(
    resources: ServiceResources, caller: Caller, run_id: str, step: str, decision: Decision, reason: str
) -> Approval:
    """Answer what a step asks; the first answer counts.

    Raises:
        Failure: `unknown_run`, `unknown_approval`, `own_run`, `approval_decided`, `approval_expired`.
    """
    journal = resources.journal
    await known_run(journal, run_id)
    span = await step_answers.question_span(journal, run_id, step)
    await _refuse_own(resources, run_id, {caller.subject})
    url = database_url(resources.home)
    await step_answers.decide(journal, url, span, decision, caller.subject or local_user(), reason)
    return await step_approval(resources, run_id, step)


def audience(resources: ServiceResources, server: str) -> str:
    """What tokens for a server of the fleet name in `aud`."""
    return resources.config.fleet.servers[server].audience or server


def servers_of(resources: ServiceResources, token: ApproverToken) -> list[str]:
    """The servers of the fleet that it says it is for."""
    servers = sorted(resources.config.fleet.servers)
    return [name for name in servers if audience(resources, name) in token.audiences]


def approver_of(resources: ServiceResources, server: str, tokens: Sequence[ApproverToken]) -> ApproverToken:
    """Raises Failure `unknown_server`, `no_approver`."""
    if server not in resources.config.fleet.servers:
        raise Failure("unknown_server", f"There is no server {server}.", "See GET /v1/servers.")
    if token := token_for(audience(resources, server), tokens):
        return token
    message = f"Only an approver of {server} can do this, and no token that was sent is for it."
    raise Failure("no_approver", message, f"Send yours in {HEADER}; the service has none.")


@asynccontextmanager
async def _desk(resources: ServiceResources, server: str, token: ApproverToken) -> AsyncGenerator[Approvals]:
    """The approvals of a server; a local one is asked in the process that runs here call.

    Raises:
        Failure: that process cannot be started.
    """
    found = resources.config.fleet.servers[server]
    if found.command and resources.connect:
        url = (await resources.connect(server)).url
        yield approvals_over_http(server, url, lambda: token.text, local=True)
        return
    async with resources.starting:  # each call starts a process
        yield approvals_of(server, found, token.text, resources.config.folder, resources.environ)


async def _pending(resources: ServiceResources, server: str, tokens: Sequence[ApproverToken]) -> list[Approval]:
    async with _desk(resources, server, approver_of(resources, server, tokens)) as desk:
        return await desk.list()


async def _refuse_own(resources: ServiceResources, run_id: str, subjects: set[str | None]) -> None:
    """Raises Failure `own_run`: nobody decides about what they have asked for."""
    if subjects & await resources.journal.query(people_behind, run_id):
        message = f"{run_id} was asked for by you."
        raise Failure("own_run", message, "Somebody else has to decide.")


def _questions(connection: Connection) -> list[tuple[Run, Span]]:
    """The newest that wait."""
    asked = select(SPANS).join(RUNS, RUNS.c.run_id == SPANS.c.run_id).where(RUNS.c.status.in_(AT_WORK))
    asked = asked.where(SPANS.c.kind == "approval", SPANS.c.status == "waiting")
    rows = connection.execute(asked.order_by(SPANS.c.started_at.desc()).limit(_MOST_QUESTIONS)).mappings()
    spans = [Span(**row) for row in rows]
    runs = select(RUNS).where(RUNS.c.run_id.in_([span.run_id for span in spans]))
    known = {row["run_id"]: Run(**row) for row in connection.execute(runs).mappings()}
    pairs = [(known[span.run_id], span) for span in spans]
    return [(run, span) for run, span in pairs if step_answers.question_approval(span)["state"] == "pending"]
