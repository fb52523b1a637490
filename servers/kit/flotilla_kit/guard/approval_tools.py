"""The approval tools of every server that changes something: workers ask, approvers decide.

`request_approval` is for whoever orchestrates a worker: called with the worker's mandate, it finds out before the call
whether that call would have to wait, by the call's own path.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastmcp import FastMCP
from fastmcp.server.dependencies import get_context
from fastmcp.tools import tool
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from .. import approvals, audit
from ..approvals import Approval, Decision, State
from ..effects import Effect, Evaluated, faults
from ..errors import InternalError, InvalidCursor, UnknownTool
from ..paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from .body import Bodies, ask
from .call import CURRENT, Call
from .declaration import DESTROY, READ, WRITE, declare
from .visibility import may_call

ApprovalId = Annotated[str, Field(pattern=r"^apr_[0-9a-f]{20}$")]


class Requested(BaseModel):
    """What a call would meet now."""

    status: Literal["not_required", "pending", "approved", "rejected", "executed"]
    approval: Approval | None = None


def approval_tools(
    bodies: Bodies, mutating: frozenset[str], server_name: str, expires_h: float
) -> list[Callable[..., Any]]:
    """The four tools over one server's approvals. `mutating` are the tools that can need one."""

    @tool(annotations=WRITE)
    @declare(approval="never", scoped="the call it evaluates applies its own", effect=False)
    async def request_approval(
        tool: Annotated[str, Field(max_length=64)],
        arguments: dict[str, Any],
        tool_use_id: Annotated[str, Field(max_length=255, description="the id that call will carry")] = "",
    ) -> Requested:
        """Ask for the approval of a call you are about to make, if it needs one. Changes nothing else."""
        call = CURRENT.get()
        if tool not in mutating or not may_call(call.principal, tool):
            raise UnknownTool(f"Unknown tool: {tool}")
        evaluated, effect = await _evaluate(get_context().fastmcp, call, tool, arguments, tool_use_id)
        if evaluated.outcome is not None:
            return Requested(status="executed")
        if not evaluated.needed:
            return Requested(status="not_required")
        asked, bound = evaluated.facts, evaluated.bound
        approval = await ask(bodies.database, effect, asked, expires_h, anew=True, bound=bound)
        match approval.state:
            case "pending" | "approved" | "rejected":
                return Requested(status=approval.state, approval=approval)
            case _:
                raise approvals.refusal(approval)

    @tool(annotations=READ)
    @declare(scoped="a worker sees its own requests")
    async def get_approval(approval_id: ApprovalId) -> Approval:
        """One request for approval: its arguments, the facts, and where it stands."""
        principal = CURRENT.get().principal
        requester = None if principal.kind == "approver" else (principal.subject, principal.run)
        return await bodies.database.read(approvals.get, server_name, approval_id, requester)

    @tool(annotations=READ)
    @declare(scoped="for approvers only")
    async def list_approvals(
        state: State | None = "pending", limit: Limit = 20, cursor: Cursor | None = None
    ) -> Page[Approval]:
        """Requests for approval, newest first."""
        before = int(decode_cursor(cursor, int)[0]) if cursor is not None else None
        if before is not None and not 0 < before < 2**31:
            raise InvalidCursor("That cursor is none of this tool's.")
        found = await bodies.database.read(approvals.find, server_name, state, limit + 1, before)
        more = encode_cursor(found[limit - 1][0]) if len(found) > limit else None
        return Page[Approval](items=[approval for _, approval in found[:limit]], next_cursor=more)

    @tool(annotations=DESTROY)
    @declare(approval="never", scoped="for approvers only", effect=False)
    async def decide_approval(
        approval_id: ApprovalId,
        decision: Decision,
        reason: Annotated[str, Field(max_length=500, description="told to whoever asked")] = "",
    ) -> Approval:
        """Approve or reject exactly what was asked. Read its facts first; rejecting withdraws an unused approval."""
        call = CURRENT.get()
        decided = await bodies.database.write(_decide, server_name, call, approval_id, decision, reason)
        faults.point("decided")
        return decided

    return [request_approval, get_approval, list_approvals, decide_approval]


async def _evaluate(
    server: FastMCP, call: Call, tool: str, arguments: dict[str, Any], tool_use_id: str
) -> tuple[Evaluated, Effect]:
    """Take the call its own way up to where it would take effect.

    Raises:
        FlotillaError: what the call itself would be refused with, such as its bounds.
    """
    inner = Call(call.principal, call.record, call.parameters, tool_use_id, evaluating=True)
    token = CURRENT.set(inner)
    try:
        await server.call_tool(tool, arguments, run_middleware=False)
    except Evaluated as evaluated:
        assert inner.effect is not None
        return evaluated, inner.effect
    finally:
        CURRENT.reset(token)
    raise InternalError(f"{tool} ended its evaluation without a verdict.", suggestion="Report it to whoever runs this.")


def _decide(
    connection: Connection, server: str, call: Call, approval_id: str, decision: Decision, reason: str
) -> Approval:
    """The decision and its audit record, in one transaction."""
    decided = approvals.decide(connection, server, approval_id, call.principal, decision, reason)
    call.record.ended("ok")
    audit.append_in_effect(connection, call.record)
    faults.point("deciding")
    return decided
