"""The connection to one server: its address, its tools, the mandates minted for it, and calls of its tools."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ..config.config import Config
from ..config.fleet import VARIABLE, Server
from ..errors import Failure, root_cause
from ..mandates.claims import APPROVAL_TOOLS, ISSUER, AuthorizationDetail, Minter, Tool, tool_details
from .approvals import answer_within, failure_from_result
from .http_client import mcp_client
from .processes import ServerProcess
from .restarts import answered

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import RequestParamsMeta
    from mcp.types import Tool as Listed

_START_S = 30  # how long a server may take to listen
_LIST_S = 15  # how long it may take to list its tools
_CALL_S = 30  # how long a call of the run's own may take; a server's own limit
TOOL_USE_ID = "claudecode/toolUseId"  # where servers look for the key of an effect


@dataclass(frozen=True)
class ServerConnection:
    """A server that has listed its tools. `headers` name environment variables; `variables` has their values."""

    name: str
    url: str
    headers: Mapping[str, str]
    variables: Mapping[str, str]
    local: bool
    audience: str
    minter: Minter | None
    """Signs mandates for it; None: it checks none."""
    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])
    """By short name. A server that checks mandates lists only what some worker of the fleet names."""
    has_approvals: bool = False
    """It has the tools `request_approval` and `get_approval`."""
    restart_s: float = 0
    """How long runs wait for it while it does not answer, as when it is started anew."""

    @property
    def mandate_variable(self) -> str:
        """The environment variable that `headers` takes the mandate from."""
        return _mandate_variable(self.name)

    def mandate(
        self,
        subject: str,
        details: Sequence[AuthorizationDetail],
        scope: Mapping[str, str] | None = None,
        lifetime_s: float = _LIST_S,
    ) -> str:
        """A fresh token for this server (see `Minter.mint`); empty if it checks none."""
        return self.minter.mint(self.audience, subject, details, scope, lifetime_s) if self.minter else ""

    @asynccontextmanager
    async def client(self, token: str = "") -> "AsyncGenerator[Client]":
        """An MCP client that presents this mandate. Connection errors and refusals are raised as they are."""
        values = {**self.variables, self.mandate_variable: token}
        headers = {name: VARIABLE.sub(lambda match: values[match[1]], value) for name, value in self.headers.items()}
        async with mcp_client(self.url, headers, timeout_s=_LIST_S, local=self.local) as client:
            yield client

    async def answers(self) -> None:
        """Return once it answers, for which it has `restart_s` seconds.

        Raises:
            ServerUnavailable: no answer came.
        """
        await answered(self._answers, self.restart_s)

    async def _answers(self) -> None:
        async with answer_within(self.name, _LIST_S), self.client(self.mandate(ISSUER, tool_details([]))):
            pass

    async def call(
        self, token: str, tool: str, arguments: Mapping[str, JsonValue], key: str = ""
    ) -> "dict[str, JsonValue] | None":
        """Call a tool with this mandate; returns its structured result, if it has one.

        Where no answer comes, it is called again for `restart_s` seconds.

        Args:
            key: of the call's effect, if it has one: under the same key the server makes it once.

        Raises:
            ServerUnavailable: no answer came. Failure: the server's refusal.
        """
        return await answered(lambda: self._call(token, tool, arguments, key), self.restart_s)

    async def _call(
        self, token: str, tool: str, arguments: Mapping[str, JsonValue], key: str
    ) -> "dict[str, JsonValue] | None":
        meta: RequestParamsMeta | None = {TOOL_USE_ID: key} if key else None
        async with answer_within(self.name, _CALL_S), self.client(token) as client:
            result = await client.call_tool(tool, dict(arguments), meta=meta)
        if result.is_error:
            raise failure_from_result(self.name, result)
        return result.structured_content

    async def list_tools(self, token: str) -> "list[Listed]":
        """Every tool that the server lists for this mandate."""
        tools: list[Listed] = []
        cursor: str | None = None
        async with self.client(token) as client:
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                if not (cursor := page.next_cursor):
                    return tools


async def connect(
    name: str, process: ServerProcess | None, minter: Minter | None, config: Config, environ: Mapping[str, str]
) -> ServerConnection:
    """The server with its tools. The SDK is imported while the processes start."""
    server = config.fleet.servers[name]
    variables = header_values(name, server, environ)
    headers = {**server.headers, **({"Authorization": f"Bearer ${{{_mandate_variable(name)}}}"} if minter else {})}
    try:
        async with asyncio.timeout(_START_S):
            url = await process.listening if process else server.url
        assert url
        found = ServerConnection(name, url, headers, variables, bool(process), server.audience or name, minter)
        async with asyncio.timeout(_LIST_S):
            if minter and not process and await _list_tools(found, []):
                # It lists tools for a mandate without any: it checks none.
                found = replace(found, headers=server.headers, minter=None)
            listed = await _list_tools(found, sorted(_named_tools(config, name)))
    except Failure:
        raise
    except Exception as error:  # a connection can fail with any exception
        reason = "no answer in time" if isinstance(error, TimeoutError) else root_cause(error)
        message = f"The server {name} does not answer: {reason}"
        raise Failure("server_failed", message, _advice(server), retryable=True) from error
    tools = {tool.name: Tool(tool.input_schema, _reads_only(tool)) for tool in listed}
    return replace(found, tools=tools, has_approvals=APPROVAL_TOOLS[0] in tools)


async def _list_tools(server: ServerConnection, names: Sequence[str]) -> "list[Listed]":
    """The tools that the server lists for a mandate with these names."""
    return await server.list_tools(server.mandate(ISSUER, tool_details(names)))


def _named_tools(config: Config, server: str) -> set[str]:
    """Every tool of a server that the config names, so that a wrong name is noticed."""
    calls = [call for playbook in config.playbooks.values() for call in playbook.calls]
    named = {call.tool_name for call in calls if call.server == server}
    return named.union(APPROVAL_TOOLS, *(worker.tools_on(server) for worker in config.workers.values()))


def _reads_only(tool: "Listed") -> bool:
    # An allow-list: a tool that does not say it only reads is taken to change something.
    return tool.annotations is not None and tool.annotations.read_only_hint is True


def _advice(server: Server) -> str:
    if server.url and server.gets_mandates:  # the MCP SDK does not tell a 401 from other errors
        return (
            "See whether it runs and takes mandates: its --mandate-keys is the public.json of `flotilla keys`, "
            "its --audience the name in fleet.yaml."
        )
    return "Start it, or correct it in fleet.yaml."


def _mandate_variable(server: str) -> str:
    return f"FLOTILLA_MANDATE_{server.upper().replace('-', '_')}"


def header_values(name: str, server: Server, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that its headers name, with their values; raises Failure `missing_variable`."""
    missing = [variable for variable in server.variables if not environ.get(variable)]
    if missing:
        message = f"The server {name} needs {', '.join(missing)} in the environment."
        raise Failure("missing_variable", message, "Set it; fleet.yaml names it in the server's headers.")
    return {variable: environ[variable] for variable in server.variables}
