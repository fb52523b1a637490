"""The servers of a run: starts the local ones on free loopback ports, reaches the remote ones, lists their tools.

A local server is told the public half of a key that lives as long as the run and never leaves this process; mandates
for servers elsewhere are signed with the keys of `flotilla keys`.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flotilla_kit.keys import KeyRing, KeyRingError, SigningKey, write_jwks

from .config import TOOL_NAME, VARIABLE, Config, Server, Worker
from .errors import Failure, innermost
from .mandate import APPROVAL_TOOLS, ISSUER, Detail, Minter, Tool, tool_details
from .names import did_you_mean
from .processes import Process, started

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import Tool as Listed

_START_S = 30  # how long a server may take to listen
_LIST_S = 15  # how long it may take to list its tools


@dataclass(frozen=True)
class Connected:
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
    asks: bool = False
    """It says beforehand whether a call needs an approval (`request_approval`)."""

    @property
    def variable(self) -> str:
        """The environment variable that `headers` takes the mandate from."""
        return _variable(self.name)

    def mandate(
        self,
        subject: str,
        details: Sequence[Detail],
        scope: Mapping[str, str] | None = None,
        lifetime_s: float = _LIST_S,
    ) -> str:
        """A fresh token for this server (see `Minter.mint`); empty if it checks none."""
        return self.minter.mint(self.audience, subject, details, scope, lifetime_s) if self.minter else ""

    @asynccontextmanager
    async def client(self, token: str = "") -> "AsyncGenerator[Client]":
        """An MCP client that presents this mandate. Whatever cannot be reached, or is refused, is its own exception."""
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client

        values = {**self.variables, self.variable: token}
        headers = {name: VARIABLE.sub(lambda match: values[match[1]], value) for name, value in self.headers.items()}
        # Local servers are not behind a proxy; httpx2 would take one from the environment.
        http = httpx2.AsyncClient(headers=headers, timeout=_LIST_S, trust_env=not self.local)
        async with http, Client(streamable_http_client(self.url, http_client=http)) as client:
            yield client

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

    def __init__(self, servers: Mapping[str, Connected]) -> None:
        self.servers = servers

    def require(self, workers: Iterable[Worker]) -> None:
        """Check that every tool that the workers name is there.

        Raises:
            Failure: `missing_tools`, naming each worker and tool and the closest name there is.
        """
        known = {name: set(server.tools) - set(APPROVAL_TOOLS) for name, server in self.servers.items()}
        problems = [
            f"{worker.name}: the server {server} has no tool `{tool}`{did_you_mean(tool, known[server])}"
            for worker in workers
            for server in worker.servers
            for tool in worker.tools_on(server)
            if tool not in self.servers[server].tools
        ]
        if problems:
            raise Failure("missing_tools", "\n".join(problems), "Correct the `tools` of the workers named.")


@asynccontextmanager
async def running(
    config: Config,
    names: Sequence[str],
    *,
    run_id: str,
    logs: Path,
    keys: Path,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[Fleet]:
    """These servers of the fleet, listed and ready; the ones started here end with the block.

    Args:
        run_id: `run` of the mandates.
        logs: each local server's stderr goes to NAME.log there, and the public key that it checks mandates with.
        keys: the key ring for servers elsewhere.
        flags: further flags for every local server.

    Raises:
        Failure: `server_failed`: a server did not start, or does not answer. `bad_keys`: the key ring is broken.
    """
    async with AsyncExitStack() as stack:
        servers = [(name, config.fleet.servers[name]) for name in names]
        own = Minter(SigningKey.generate(), run_id)
        published = stack.enter_context(_published(own.key, logs / f"{run_id}-mandate-keys.json"))
        # Entered one after the other, so that they are left in order; started together, because each takes a second.
        processes: dict[str, Process] = {}
        for name, server in servers:
            if server.command:
                given = [*flags, "--mandate-keys", str(published), "--audience", server.audience or name]
                process = started(name, server, config.folder, logs, given, environ)
                processes[name] = await stack.enter_async_context(process)
        elsewhere = any(server.url and server.gets_mandates for _, server in servers)
        others = Minter(_current(keys), run_id) if elsewhere else None
        connecting = [
            _connect(name, server, processes.get(name), own if server.command else others, config, environ)
            for name, server in servers
        ]
        connected = await asyncio.gather(*connecting, return_exceptions=True)
        for failure in connected:
            if isinstance(failure, BaseException):
                raise failure
        yield Fleet({server.name: server for server in connected if isinstance(server, Connected)})


@contextlib.contextmanager
def _published(key: SigningKey, file: Path) -> Generator[Path]:
    """The public half in a file, for as long as it is needed."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_jwks(file, [key.public_jwk()])
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _current(keys: Path) -> SigningKey:
    try:
        return KeyRing(keys).current()
    except (KeyRingError, OSError) as error:
        raise Failure("bad_keys", f"The signing keys cannot be used: {error}.", "See `flotilla keys`.") from error


async def _connect(
    name: str,
    server: Server,
    process: Process | None,
    minter: Minter | None,
    config: Config,
    environ: Mapping[str, str],
) -> Connected:
    """The server with its tools. The SDK is imported while the processes start."""
    variables = _variables(name, server, environ)
    minter = minter if server.gets_mandates else None
    headers = {**server.headers, **({"Authorization": f"Bearer ${{{_variable(name)}}}"} if minter else {})}
    try:
        async with asyncio.timeout(_START_S):
            url = await process.listening if process else server.url
        assert url
        found = Connected(name, url, headers, variables, bool(process), server.audience or name, minter)
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
    return replace(found, tools=tools, asks=APPROVAL_TOOLS[0] in tools)


async def _listed(server: Connected, names: Sequence[str]) -> "list[Listed]":
    """What the server lists for a mandate that names these tools."""
    return await server.listed(server.mandate(ISSUER, tool_details(names)))


def _named(config: Config, server: str) -> set[str]:
    """Every tool of a server that the config names, so that a name gone wrong can be told from one that is there."""
    lookups = [lookup.tool for playbook in config.playbooks.values() for lookup in playbook.lookups.values()]
    matches = [TOOL_NAME.fullmatch(tool) for tool in lookups]
    named = {match["tool"] for match in matches if match and match["server"] == server}
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


def _variables(name: str, server: Server, environ: Mapping[str, str]) -> dict[str, str]:
    missing = [variable for variable in server.variables if not environ.get(variable)]
    if missing:
        message = f"The server {name} needs {', '.join(missing)} in the environment."
        raise Failure("missing_variable", message, "Set it; fleet.yaml names it in the server's headers.")
    return {variable: environ[variable] for variable in server.variables}
