"""A client of the approval tools of a server: with a worker's mandate, or with a person's own token.

Nothing here can approve by itself: the server decides what the bearer of the token may do.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from ..errors import Failure, root_cause
from .http_client import mcp_client
from .restarts import answered

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

_CALL_S = 15  # how long one call may take, connecting included; a session's hook waits for it
_START_S = 30  # how long a local server may take to start on top of that

Connect = Callable[[], "AbstractAsyncContextManager[Client]"]
State = Literal["pending", "approved", "rejected", "consumed", "expired"]
Answer = TypeVar("Answer", bound=BaseModel)


class Approval(BaseModel):
    """A request for approval as its server returns it. `facts` are the server's; `arguments` are those of the call."""

    approval_id: str
    state: State
    requester: str
    run: str
    tool: str
    arguments: dict[str, JsonValue]
    facts: dict[str, JsonValue]
    created_at: str
    expires_at: str
    decided_by: str | None = None
    reason: str | None = None

    @property
    def confirmation_text(self) -> str:
        """What a person types back to approve: the amount, or the tool's name where there is no amount."""
        return str(self.facts.get("amount") or self.tool)


class ApprovalCheck(BaseModel):
    """Whether a call needs an approval now; one that does, or did, has its `approval`."""

    status: Literal["not_required", "pending", "approved", "rejected", "executed"]
    approval: Approval | None = None


class ServerUnavailable(Failure):
    """A server did not answer, so the outcome is unknown; a refusal is a plain Failure with the server's own code."""

    def __init__(self, server: str, reason: str) -> None:
        suggestion = f"Try again in a moment; then see whether {server} runs, and takes this token."
        details = {"server": server}
        super().__init__(
            "server_unavailable", f"{server} does not answer: {reason}", suggestion, retryable=True, details=details
        )


@asynccontextmanager
async def answer_within(server: str, timeout_s: float) -> "AsyncGenerator[None]":
    """Raise `ServerUnavailable` for any error of this block that is no Failure, and after `timeout_s` seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except Failure:
        raise
    except Exception as error:  # a connection can fail with any exception
        if (task := asyncio.current_task()) and task.cancelling():  # a cancelled connection may raise another exception
            raise asyncio.CancelledError from error
        said = "no answer in time" if isinstance(error, TimeoutError) else root_cause(error)
        raise ServerUnavailable(server, said) from error


class Approvals:
    """The approval tools of one server; every call has a connection of its own, so none is open while people decide.

    Args:
        timeout_s: how long one call may take.
        restart_s: how long `request` asks again while no answer comes; each time for the same approval.

    Raises (each method):
        ServerUnavailable: no answer.
        Failure: the server's refusal.
    """

    def __init__(self, server: str, connect: Connect, timeout_s: float = _CALL_S, restart_s: float = 0) -> None:
        self.server = server
        self._connect, self._timeout_s, self._restart_s = connect, timeout_s, restart_s

    async def request(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> ApprovalCheck:
        """Whether the call needs an approval now; requests it if so."""
        request = {"tool": tool, "arguments": dict(arguments), "tool_use_id": tool_use_id}
        return await answered(lambda: self._call("request_approval", request, ApprovalCheck), self._restart_s)

    async def get(self, approval_id: str) -> Approval:
        return await self._call("get_approval", {"approval_id": approval_id}, Approval)

    async def list(self, state: State | None = "pending") -> "list[Approval]":
        """The newest hundred."""
        return (await self._call("list_approvals", {"state": state, "limit": 100}, _ApprovalPage)).items

    async def decide(self, approval_id: str, decision: Literal["approve", "reject"], reason: str = "") -> Approval:
        decided = {"approval_id": approval_id, "decision": decision, "reason": reason}
        return await self._call("decide_approval", decided, Approval)

    async def _call(self, tool: str, arguments: dict[str, Any], shape: type[Answer]) -> Answer:
        from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult

        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        async with answer_within(self.server, self._timeout_s), self._connect() as client:
            # Not `client.call_tool`: it would list all tools first, for a schema that `shape` has already.
            result = await client.session.send_request(request, CallToolResult)
        if result.is_error:
            raise failure_from_result(self.server, result)
        try:
            return shape.model_validate(result.structured_content)
        except ValidationError as error:
            raise ServerUnavailable(self.server, f"{tool} answered in an unknown shape") from error


class _ApprovalPage(BaseModel):
    items: list[Approval]


def approvals_over_http(server: str, url: str, token: Callable[[], str], *, local: bool) -> Approvals:
    """The approvals of a server at an address.

    Args:
        token: the bearer token of each call.
        local: not behind a proxy.
    """

    @asynccontextmanager
    async def connect() -> "AsyncGenerator[Client]":
        headers = {"Authorization": f"Bearer {token()}"}
        async with mcp_client(url, headers, timeout_s=_CALL_S, local=local) as client:
            yield client

    return Approvals(server, connect)


def approvals_over_stdio(
    server: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Approvals:
    """The approvals of a local server that is started for each call; its token is in `environment`."""

    @asynccontextmanager
    async def connect() -> "AsyncGenerator[Client]":
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client

        program, *arguments = command
        parameters = StdioServerParameters(command=program, args=arguments, env=dict(environment), cwd=folder)
        with tempfile.TemporaryFile("w+") as log:
            try:
                async with Client(stdio_client(parameters, log)) as client:
                    yield client
            except Exception as error:
                log.seek(0)
                said = [line for line in log.read().splitlines() if line.startswith(f"{Path(program).name}: ")]
                raise ServerUnavailable(server, said[-1] if said else root_cause(error)) from error

    return Approvals(server, connect, _CALL_S + _START_S)


def failure_from_result(server: str, result: "CallToolResult") -> Failure:
    text = "".join(getattr(content, "text", "") for content in result.content)
    try:
        said = _ErrorBody.model_validate_json(text)
    except ValidationError:
        return Failure("refused", f"{server}: {text[:500]}")
    return Failure(said.code, said.message, said.suggestion, retryable=said.retryable, details=said.details)


class _ErrorBody(BaseModel):
    code: str
    message: str
    suggestion: str = ""
    retryable: bool = False
    details: dict[str, JsonValue] = {}
