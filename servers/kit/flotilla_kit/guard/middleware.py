"""What stands between a caller and a server: who it is, what exists for it, how often and how long it may call.

What the mandate does not name is not listed, and called all the same it answers as what does not exist. Bounds,
approvals and effects sit at the tool's body, see body.py.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastmcp.exceptions import FastMCPError, NotFoundError, ToolError
from fastmcp.resources import ResourceResult
from fastmcp.server.dependencies import get_access_token
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, METHOD_NOT_FOUND, CallToolRequestParams, TextContent

from ..errors import AnswerTooLarge, FlotillaError, RateLimited, StoreUnavailable, TimedOut, TokenExpired
from ..identity.auth import Authority, Caller
from ..identity.principal import OWNER, Principal
from ..settings import MOST_TIMEOUT_S, ServerSettings
from ..terminal.invocation import with_command
from .call import CURRENT, Call
from .rate_limit import RateLimit
from .refusals import as_refusal, as_result, require_json
from .trail import Trail
from .visibility import may_call, may_prompt, may_read, may_see, tool_as_seen

if TYPE_CHECKING:
    from .call_spans import CallSpans
    from .shared_rate_limit import SharedRateLimit  # not on Windows

REACHED = "flotilla.reached"
"""Set in a request's ASGI scope once it got here: what did not is recorded by http/audit.py."""
_TRACED = ("tools/call", "resources/read", "prompts/get")
_SILENT_S = 30  # proxies commonly close what is silent for a minute
_OPEN_METHODS = ("initialize", "server/discover", "ping", "logging/setLevel")


class Guard(Middleware):
    """The one middleware of a server."""

    def __init__(
        self, settings: ServerSettings, authority: Authority, trail: Trail, timeouts: Mapping[str, float] | None = None
    ) -> None:
        self.authority, self.trail = authority, trail
        self.local: Principal | None = OWNER
        """Who calls over stdio or in memory. None once HTTP asks for tokens: no token is then nobody, not the owner."""
        self.tools: Mapping[str, Tool] = {}
        """Those of the server, by name, while it is up: they are run from here (see `_run`)."""
        self._timeout_s, self._most_bytes = settings.tool_timeout_s, settings.answer_bytes
        # By tool: what it declares. A limit that an operator has set holds for all.
        longest = settings.tool_timeout_s if "tool_timeout_s" in settings.model_fields_set else MOST_TIMEOUT_S
        self._timeouts = {name: min(declared, longest) for name, declared in (timeouts or {}).items()}
        self._server = settings.server
        self.rate: RateLimit | SharedRateLimit = RateLimit(settings.calls_per_second)
        """Replaced by a shared one where several processes serve."""
        self.spans: CallSpans | None = None
        """Where traces are asked for, while the server is up."""
        self.serves_metrics = True
        """One of several processes does, for all of them."""

    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        # The entry point itself, not a hook: the chain of hooks costs half as much as a read of the store.
        principal = self._principal(context)
        if self.spans and context.method in _TRACED:
            with self.spans.span(context):
                return await self._handle(principal, context, call_next)
        return await self._handle(principal, context, call_next)

    async def _handle(
        self, principal: Principal, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        match context.method:
            case "tools/call":
                return await self._call_tool(principal, context, call_next)
            case "resources/read" | "prompts/get":
                return await self._read(principal, context, call_next)
            case "tools/list":
                self._admit_request(principal)
                return [seen for tool in await call_next(context) if (seen := tool_as_seen(principal, tool))]
            case "resources/list" | "resources/templates/list" | "prompts/list":
                self._admit_request(principal)
                return [item for item in await call_next(context) if may_see(principal, item)]
            case method:
                if principal.kind == "owner" or method in _OPEN_METHODS or context.type == "notification":
                    return await call_next(context)
                return await self._malformed(principal, context, _no_such_method)

    def is_short(self, tool: str) -> bool:
        """Whether a call of a tool only reads, and ends before anybody takes its connection for dead."""
        found = self.tools.get(tool)
        reads = found and found.annotations and found.annotations.read_only_hint
        return bool(reads) and self._timeouts.get(tool, self._timeout_s) <= _SILENT_S

    def exists(self, tool: str) -> bool:
        """Whether a tool exists for the caller of the HTTP request being served."""
        principal = self.local or _bearer()
        return principal is not None and may_call(principal, tool)

    def _principal(self, context: MiddlewareContext[Any]) -> Principal:
        request = context.fastmcp_context and context.fastmcp_context.request_context
        if request and request.request:
            request.request.scope[REACHED] = True
        principal = self.local or _bearer()
        if principal is None:
            raise MCPError(code=METHOD_NOT_FOUND, message="Method not found")
        return principal

    async def _call_tool(
        self,
        principal: Principal,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        if not isinstance(context.message, CallToolRequestParams):  # pyright: ignore[reportUnnecessaryIsInstance]  # raw
            return await self._malformed(principal, context, call_next)
        name, arguments = context.message.name, context.message.arguments or {}
        call = self.trail.begin(principal, context, name)
        call.most_bytes = self._most_bytes
        token = CURRENT.set(call)
        try:
            self.trail.committer.check()
            self._admit(principal)
            if not may_call(principal, name):
                raise NotFoundError(name)
            require_json(arguments)
            async with asyncio.timeout(self._timeouts.get(name, self._timeout_s)):
                tool = self.tools.get(name)
                result = await (_run(tool, arguments) if tool else call_next(context))
            self._measure(name, result)
            call.record.ended("error" if result.is_error else "ok")
        except Exception as error:  # noqa: BLE001  the last line of defence: nothing unmasked may pass
            refusal = as_refusal(error, name, call.effect)
            if isinstance(refusal, TimedOut):
                call.abandon()
            call.record.ended(refusal.code)
            # Where this server lies is told to its owner alone.
            result = as_result(with_command(refusal, self._server, local=principal.kind == "owner"))
        except BaseException:
            call.abandon()
            call.record.ended("cancelled")
            with suppress(StoreUnavailable):  # nobody is left to be refused
                self.trail.end(call, arguments)
            raise
        finally:
            CURRENT.reset(token)
        try:
            self.trail.end(call, arguments)
        except StoreUnavailable as error:
            return as_result(error)
        return result

    async def _read(self, principal: Principal, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        resource = context.method == "resources/read"
        wanted = getattr(context.message, "uri" if resource else "name", None)
        if wanted is None:
            return await self._malformed(principal, context, call_next)
        wanted = str(wanted)
        call = self.trail.begin(principal, context, str(context.method))
        token = CURRENT.set(call)
        try:
            self._admit_request(principal, call)
            if not (may_read(principal, wanted) if resource else may_prompt(principal, wanted)):
                raise NotFoundError(f"Unknown {'resource' if resource else 'prompt'}: {wanted!r}")
            async with asyncio.timeout(self._timeout_s):
                result = await call_next(context)
            if resource:
                self._measure_contents(result)
            call.record.ended("ok")
        except BaseException as error:
            if not call.record.outcome:
                call.record.ended("not_found" if isinstance(error, NotFoundError) else "error")
            raise
        finally:
            CURRENT.reset(token)
            self.trail.end(call, {"uri" if resource else "name": wanted})
        return result

    async def _malformed(
        self, principal: Principal, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        """A request that the protocol refuses; it is the caller's call all the same."""
        call = self.trail.begin(principal, context, str(context.method))
        call.record.ended("invalid_request")
        try:
            self._admit_request(principal, call)
            return await call_next(context)
        finally:
            self.trail.end(call, {})

    def _admit(self, principal: Principal) -> None:
        if principal.expired:
            raise TokenExpired(
                "This session's mandate has expired.", suggestion="Start a new session with a fresh one."
            )
        if principal.kind == "owner":
            return
        wait_s = self.rate.wait_s(principal.kind, principal.subject, principal.run)
        if wait_s:
            raise RateLimited(
                "Too many calls.", suggestion="Wait, then call again.", details={"retry_after_s": round(wait_s, 3)}
            )

    def _admit_request(self, principal: Principal, call: Call | None = None) -> None:
        """As `_admit`, where the protocol has no place for an error but its own."""
        try:
            self._admit(principal)
        except FlotillaError as refusal:
            if call:
                call.record.ended(refusal.code)
            raise MCPError(code=INVALID_REQUEST, message=refusal.message, data=refusal.as_dict()) from None

    def _measure_contents(self, result: ResourceResult) -> None:
        size = sum(len(part.content) for part in result.contents)
        if size > self._most_bytes:
            raise MCPError(
                code=INVALID_REQUEST, message=f"The resource has {size} bytes; {self._most_bytes} are the most."
            )

    def _measure(self, name: str, result: ToolResult) -> None:
        size = sum(len(part.text) for part in result.content if isinstance(part, TextContent))
        if size > self._most_bytes:
            raise AnswerTooLarge(
                f"The answer of {name} would have {size} characters; {self._most_bytes} are the most.",
                suggestion="Ask for less: a smaller limit, or a narrower filter.",
            )


async def _run(tool: Tool, arguments: dict[str, Any]) -> ToolResult:
    """Run a tool as FastMCP's own end of the chain would.

    That end looks the tool up by transforms and visibility that no server of ours has, behind a second middleware that
    has nothing to do with calls: half of what a read costs above its store.
    """
    try:
        return await tool.run(arguments)
    except FastMCPError:
        raise
    except Exception as error:
        raise ToolError(f"Error calling tool {tool.name!r}") from error


async def _no_such_method(context: MiddlewareContext[Any]) -> Any:
    del context
    raise MCPError(code=METHOD_NOT_FOUND, message="Method not found")


def _bearer() -> Principal | None:
    token = get_access_token()
    return token.principal if isinstance(token, Caller) else None
