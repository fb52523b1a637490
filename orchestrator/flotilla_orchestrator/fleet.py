"""The servers of a run: starts the local ones on free loopback ports, reaches the remote ones, lists their tools.

A local server is a command that takes Flotilla's own flags: it binds a free port, says so in one JSON line on stderr,
and exits when its standard input ends, so it never outlives the process that started it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from .config import TOOL_NAME, VARIABLE, Config, Server, Worker
from .errors import Failure
from .names import did_you_mean
from .provider import server_environment

_START_S = 30  # how long a server may take to listen
_LIST_S = 15  # how long it may take to list its tools
_STOP_S = 5  # how long it may take to finish before it is terminated, and again before it is killed


@dataclass(frozen=True)
class Connected:
    """A server that answers. `headers` still name their variables; `variables` has the values."""

    name: str
    url: str
    headers: Mapping[str, str]
    variables: Mapping[str, str]
    tools: Mapping[str, Mapping[str, Any]]
    """Tool name to input schema."""


class Fleet:
    """The running servers of a run, by name."""

    def __init__(self, servers: Mapping[str, Connected]) -> None:
        self.servers = servers

    def require(self, workers: Iterable[Worker]) -> None:
        """Check that every tool that the workers name is there.

        Raises:
            Failure: `missing_tools`, naming each worker and tool and the closest name there is.
        """
        problems = [
            f"{worker.name}: the server {server} has no tool `{tool}`{did_you_mean(tool, self.servers[server].tools)}"
            for worker in workers
            for match in map(TOOL_NAME.fullmatch, worker.tools or ())
            if match
            for server, tool in [match.group("server", "tool")]
            if tool not in self.servers[server].tools
        ]
        if problems:
            raise Failure("missing_tools", "\n".join(problems), "Correct the `tools` of the workers named.")

    def schema(self, tool: str) -> Mapping[str, Any]:
        """The input schema of a tool by its full name."""
        match = TOOL_NAME.fullmatch(tool)
        assert match
        return self.servers[match["server"]].tools[match["tool"]]


@asynccontextmanager
async def running(
    config: Config,
    names: Sequence[str],
    *,
    logs: Path,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[Fleet]:
    """These servers of the fleet, listed and ready; the ones started here end with the block.

    Args:
        logs: each local server's stderr goes to NAME.log there.
        flags: further flags for every local server.

    Raises:
        Failure: `server_failed`: a server did not start, or does not answer.
    """
    async with AsyncExitStack() as stack:
        servers = [(name, config.fleet.servers[name]) for name in names]
        # Entered one after the other, so that they are left in order; started together, because each takes a second.
        processes = {
            name: await stack.enter_async_context(_process(name, server, config.folder, logs, flags, environ))
            for name, server in servers
            if server.command
        }
        connecting = [_connect(name, server, processes.get(name), environ) for name, server in servers]
        connected = await asyncio.gather(*connecting, return_exceptions=True)
        for failure in connected:
            if isinstance(failure, BaseException):
                raise failure
        yield Fleet({server.name: server for server in connected if isinstance(server, Connected)})


@dataclass(frozen=True)
class _Process:
    listening: asyncio.Future[str]


@asynccontextmanager
async def _process(
    name: str, server: Server, folder: Path, logs: Path, flags: Sequence[str], environ: Mapping[str, str]
) -> AsyncGenerator[_Process]:
    assert server.command
    program, *arguments = server.command
    log = _log(logs, name)
    try:
        process = await asyncio.create_subprocess_exec(
            _executable(program),
            *(*arguments, "--http", "127.0.0.1:0", "--auth", "none", "--exit-with-stdin", *flags),
            cwd=folder,
            env=server_environment(environ, name, server.env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        log.close()
        raise Failure(
            "server_failed", f"The server {name} cannot be started: {error}.", "See `command` in fleet.yaml."
        ) from error
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    draining = asyncio.create_task(_drain(name, process, listening, log))
    try:
        yield _Process(listening)
    finally:
        await _stop(process)
        await draining
        listening.cancel()


def _log(logs: Path, name: str) -> BinaryIO:
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    return (logs / f"{name}.log").open("ab")


def _executable(program: str) -> str:
    """The program on PATH, else beside this Python (a virtual environment that is not activated)."""
    beside = Path(sys.executable).parent / program
    return shutil.which(program) or (str(beside) if beside.exists() else program)


async def _drain(
    name: str, process: asyncio.subprocess.Process, listening: "asyncio.Future[str]", log: BinaryIO
) -> None:
    assert process.stderr
    last = ""
    with log:
        async for line in process.stderr:
            log.write(line)
            log.flush()
            last = line.decode(errors="replace").strip() or last
            if not listening.done() and (url := _announced(line)):
                listening.set_result(url)
    if not listening.done():
        code = await process.wait()
        failure = Failure("server_failed", f"The server {name} ended with {code}: {last[:300]}", f"See {log.name}.")
        listening.set_exception(failure)


def _announced(line: bytes) -> str | None:
    with contextlib.suppress(ValueError):
        said = json.loads(line)
        if isinstance(said, dict) and said.get("event") == "listening":  # pyright: ignore[reportUnknownMemberType]  # JSON
            return str(said["url"])  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return None


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin
    process.stdin.close()
    for end in (process.terminate, process.kill):
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
                return
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                end()
    await process.wait()


async def _connect(name: str, server: Server, process: _Process | None, environ: Mapping[str, str]) -> Connected:
    """The server with its tools. The SDK is imported while the processes start."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    variables = _variables(name, server, environ)
    headers = {key: VARIABLE.sub(lambda match: variables[match[1]], value) for key, value in server.headers.items()}
    try:
        async with asyncio.timeout(_START_S):
            url = await process.listening if process else server.url
        assert url
        # Local servers are not behind a proxy; httpx2 would take one from the environment.
        http = httpx2.AsyncClient(headers=headers, timeout=_LIST_S, trust_env=process is None)
        async with asyncio.timeout(_LIST_S), http, Client(streamable_http_client(url, http_client=http)) as client:
            listed = [tool async for tool in _tools(client)]
    except Failure:
        raise
    except Exception as error:  # a connection fails in many ways; they all mean this
        said = "no answer in time" if isinstance(error, TimeoutError) else _innermost(error)
        message = f"The server {name} does not answer: {said}"
        raise Failure("server_failed", message, "Start it, or correct it in fleet.yaml.", retryable=True) from error
    return Connected(name, url, server.headers, variables, {tool.name: tool.input_schema for tool in listed})


async def _tools(client: Any) -> AsyncGenerator[Any]:
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        cursor = page.next_cursor
        if not cursor:
            return


def _variables(name: str, server: Server, environ: Mapping[str, str]) -> dict[str, str]:
    missing = [variable for variable in server.variables if not environ.get(variable)]
    if missing:
        message = f"The server {name} needs {', '.join(missing)} in the environment."
        raise Failure("missing_variable", message, "Set it; fleet.yaml names it in the server's headers.")
    return {variable: environ[variable] for variable in server.variables}


def _innermost(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _innermost(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return f"{type(error).__name__}: {error}"[:300]
