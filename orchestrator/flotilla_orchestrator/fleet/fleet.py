"""The servers of runs: starts the local ones on free loopback ports, reaches the remote ones, lists their tools.

A local server is told the public half of a key that lives as long as its process and never leaves this one; mandates
for servers elsewhere are signed with the keys of `flotilla keys`.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from flotilla_kit.identity.keys import KeyRing, KeyRingError, SigningKey, write_jwks
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from ..config.config import VARIABLE, Config, Playbook, Server, Worker
from ..errors import Failure, innermost
from ..mandates.claims import APPROVAL_TOOLS, ISSUER, AuthorizationDetail, Minter, Tool, tool_details
from .approvals import answered, refusal
from .http_client import connected
from .processes import Process, started

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import RequestParamsMeta
    from mcp.types import Tool as Listed

_START_S = 30  # how long a server may take to listen
_LIST_S = 15  # how long it may take to list its tools
_CALL_S = 30  # how long a call of the run's own may take; a server's own limit
TOOL_USE_ID = "claudecode/toolUseId"  # where servers look for the key of an effect
_NO_RUN = "fleet"  # `run` of the mandates that tools are listed with


@dataclass(frozen=True)
class ServerConnection:
    """A server that answers. `headers` still name their variables; `variables` has the values."""

    name: str
    url: str
    headers: Mapping[str, str]
    variables: Mapping[str, str]
    local: bool
    audience: str
    minter: Minter | None
    """Who signs mandates for it; None: it checks none."""
    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])
    """By short name. A server that checks mandates lists only what some worker of the fleet names."""
    has_approvals: bool = False
    """It says beforehand whether a call needs an approval (`request_approval`)."""

    @property
    def variable(self) -> str:
        """The environment variable that `headers` takes the mandate from."""
        return _variable(self.name)

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
        """An MCP client that presents this mandate. Whatever cannot be reached, or is refused, is its own exception."""
        values = {**self.variables, self.variable: token}
        headers = {name: VARIABLE.sub(lambda match: values[match[1]], value) for name, value in self.headers.items()}
        async with connected(self.url, headers, timeout_s=_LIST_S, local=self.local) as client:
            yield client

    async def call(
        self, token: str, tool: str, arguments: Mapping[str, JsonValue], key: str = ""
    ) -> "dict[str, JsonValue] | None":
        """What a tool answers to whoever presents this mandate, if it is structured.

        Args:
            key: of the call's effect: under the same key the server makes it once.

        Raises:
            ServerUnavailable: no answer came. Failure: the server's refusal.
        """
        meta: RequestParamsMeta | None = {TOOL_USE_ID: key} if key else None
        async with answered(self.name, _CALL_S), self.client(token) as client:
            result = await client.call_tool(tool, dict(arguments), meta=meta)
        if result.is_error:
            raise refusal(self.name, result)
        return result.structured_content

    async def listed(self, token: str) -> "list[Listed]":
        """Every tool as it lists them to whoever presents this mandate."""
        tools: list[Listed] = []
        cursor: str | None = None
        async with self.client(token) as client:
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                if not (cursor := page.next_cursor):
                    return tools


class Fleet:
    """The running servers of a run, by name."""

    def __init__(self, servers: Mapping[str, ServerConnection]) -> None:
        self.servers = servers

    def require(self, workers: Iterable[Worker], playbooks: Iterable[Playbook] = ()) -> None:
        """Check that every tool is there that the workers name, or that the playbooks have called after a run.

        Raises:
            Failure: `missing_tools`, naming each worker or playbook and tool and the closest name there is.
        """
        known = {name: set(server.tools) - set(APPROVAL_TOOLS) for name, server in self.servers.items()}
        wanted = [
            (worker.name, server, tool)
            for worker in workers
            for server in worker.servers
            for tool in worker.tools_on(server)
        ]
        for playbook in playbooks:
            wanted += [(playbook.name, str(call.server), call.short) for call in playbook.after.values()]
        problems = [
            f"{name}: the server {server} has no tool `{tool}`{did_you_mean(tool, known[server])}"
            for name, server, tool in wanted
            if tool not in self.servers[server].tools
        ]
        if problems:
            raise Failure(
                "missing_tools",
                "\n".join(problems),
                "Correct `tools` of the workers, or `after` of the playbooks, named.",
            )


class Servers:
    """Servers for all the runs of this process, each started or reached when a run first needs it; the ones started
    here end with the block. One that dies in between is started again, where it can be at the same address.

    Args:
        logs: each local server's stderr goes to NAME.log there, and the public key that it checks mandates with.
        keys: the key ring for servers elsewhere.
        flags: further flags for every local server.
    """

    def __init__(
        self,
        config: Config,
        *,
        logs: Path,
        keys: Path,
        flags: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._config, self._logs, self._keys, self._environ = config, logs, keys, environ
        self._local_key = SigningKey.generate()
        self._published = logs / f"{secrets.token_hex(5)}-mandate-keys.json"
        self._flags = [*flags, "--mandate-keys", str(self._published)]
        self._connections: dict[str, asyncio.Future[ServerConnection]] = {}
        self._supervising: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_jwks(self._published, [self._local_key.public_jwk()])
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._supervising:
            task.cancel()
        await asyncio.gather(*self._supervising, return_exceptions=True)
        self._published.unlink(missing_ok=True)

    async def fleet(self, names: Sequence[str], run_id: str) -> Fleet:
        """These servers of the fleet, listed and ready, for a run.

        Args:
            run_id: `run` of the mandates.

        Raises:
            Failure: `server_failed`: a server did not start, or does not answer. `bad_keys`: the key ring is broken.
        """
        found = await asyncio.gather(*map(self._connected, names), return_exceptions=True)
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        servers = [server for server in found if isinstance(server, ServerConnection)]
        minters = {server.name: server.minter and self._minter(server.name, run_id) for server in servers}
        return Fleet({server.name: replace(server, minter=minters[server.name]) for server in servers})

    async def _connected(self, name: str) -> ServerConnection:
        if name not in self._connections:
            self._connections[name] = asyncio.get_running_loop().create_future()
            self._supervising.add(task := asyncio.create_task(self._supervise(name)))
            task.add_done_callback(self._supervising.discard)
        return await asyncio.shield(self._connections[name])

    async def _supervise(self, name: str) -> None:
        """Start or reach a server, and start it again while it can be."""
        server, port = self._config.fleet.servers[name], 0
        try:
            if not server.command:
                self._connections[name].set_result(await self._connect(name, None))
                return
            flags = [*self._flags, "--audience", server.audience or name]
            while True:
                process = started(name, server, self._config.folder, self._logs, flags, self._environ, port)
                async with process as running:
                    found = await self._connect(name, running)
                    self._connections[name].set_result(found)
                    port = urlsplit(found.url).port or 0
                    await running.ended()
                    self._connections[name] = asyncio.get_running_loop().create_future()
        except (Failure, OSError) as error:
            answering = self._connections.pop(name)  # whoever needs it next tries anew
            answering.set_exception(error)
            answering.exception()  # there may be nobody who asks

    async def _connect(self, name: str, process: Process | None) -> ServerConnection:
        return await _connect(name, process, self._minter(name, _NO_RUN), self._config, self._environ)

    def _minter(self, name: str, run_id: str) -> Minter | None:
        server = self._config.fleet.servers[name]
        if not server.gets_mandates:
            return None
        return Minter(self._local_key if server.command else _current(self._keys), run_id)


@asynccontextmanager
async def running_fleet(
    config: Config,
    names: Sequence[str],
    *,
    run_id: str,
    logs: Path,
    keys: Path,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[Fleet]:
    """These servers for one run (see `Servers`), while the block lasts."""
    async with Servers(config, logs=logs, keys=keys, flags=flags, environ=environ) as servers:
        yield await servers.fleet(names, run_id)


def _current(keys: Path) -> SigningKey:
    try:
        return KeyRing(keys).current()
    except (KeyRingError, OSError) as error:
        raise Failure("bad_keys", f"The signing keys cannot be used: {error}.", "See `flotilla keys`.") from error


async def _connect(
    name: str, process: Process | None, minter: Minter | None, config: Config, environ: Mapping[str, str]
) -> ServerConnection:
    """The server with its tools. The SDK is imported while the processes start."""
    server = config.fleet.servers[name]
    variables = header_values(name, server, environ)
    headers = {**server.headers, **({"Authorization": f"Bearer ${{{_variable(name)}}}"} if minter else {})}
    try:
        async with asyncio.timeout(_START_S):
            url = await process.listening if process else server.url
        assert url
        found = ServerConnection(name, url, headers, variables, bool(process), server.audience or name, minter)
        async with asyncio.timeout(_LIST_S):
            if minter and not process and await _listed(found, []):
                found = replace(found, headers=server.headers, minter=None)  # it shows tools to who is granted none
            listed = await _listed(found, sorted(_named(config, name)))
    except Failure:
        raise
    except Exception as error:  # a connection fails in many ways; they all mean this
        said = "no answer in time" if isinstance(error, TimeoutError) else innermost(error)
        message = f"The server {name} does not answer: {said}"
        raise Failure("server_failed", message, _advice(server), retryable=True) from error
    tools = {tool.name: Tool(tool.input_schema, _reads(tool)) for tool in listed}
    return replace(found, tools=tools, has_approvals=APPROVAL_TOOLS[0] in tools)


async def _listed(server: ServerConnection, names: Sequence[str]) -> "list[Listed]":
    """What the server lists for a mandate that names these tools."""
    return await server.listed(server.mandate(ISSUER, tool_details(names)))


def _named(config: Config, server: str) -> set[str]:
    """Every tool of a server that the config names, so that a name gone wrong can be told from one that is there."""
    calls = [call for playbook in config.playbooks.values() for call in playbook.calls]
    named = {call.short for call in calls if call.server == server}
    return named.union(APPROVAL_TOOLS, *(worker.tools_on(server) for worker in config.workers.values()))


def _reads(tool: "Listed") -> bool:
    # An allow-list: a tool that does not say it only reads is taken to change something.
    return tool.annotations is not None and tool.annotations.read_only_hint is True


def _advice(server: Server) -> str:
    if server.url and server.gets_mandates:  # the MCP SDK keeps to itself that it was a 401
        return (
            "See whether it runs and takes mandates: its --mandate-keys is the public.json of `flotilla keys`, "
            "its --audience the name in fleet.yaml."
        )
    return "Start it, or correct it in fleet.yaml."


def _variable(server: str) -> str:
    return f"FLOTILLA_MANDATE_{server.upper().replace('-', '_')}"


def header_values(name: str, server: Server, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that its headers name; raises Failure `missing_variable`."""
    missing = [variable for variable in server.variables if not environ.get(variable)]
    if missing:
        message = f"The server {name} needs {', '.join(missing)} in the environment."
        raise Failure("missing_variable", message, "Set it; fleet.yaml names it in the server's headers.")
    return {variable: environ[variable] for variable in server.variables}
