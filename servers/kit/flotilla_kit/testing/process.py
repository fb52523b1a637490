"""Processes of a server under test: ones that serve a mandate over stdio, and ones that die in the middle of a call.

One process forks them all, one for every line of its input, a step or a session as JSON, and says how each ended: that
saves the seconds that importing a server takes. Those that die in a call have the server that was built before.
"""

import asyncio
import base64
import io
import json
import os
import pickle
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from fastmcp import Client, FastMCP
from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from ..cli import ServerSpec
from ..effects import faults
from ..event_loop import run
from ..server import guard_of
from ..settings import MANDATE_VARIABLE, ServerSettings
from ..stdio import serve_stdio
from ..telemetry import logs
from .wire import LEGACY

_LINE_BYTES = 2**24
_STARTS_S, _ENDS_S = 60, 20
_QUIET = {"FASTMCP_LOG_ENABLED": "false", "FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_ENV_FILE": os.devnull}


@dataclass(frozen=True)
class Target:
    """What another process needs to start the server; all of it can be pickled, so its functions have module names."""

    spec: ServerSpec
    settings: type[ServerSettings]
    flags: Mapping[str, Any]

    def server(self, mandate: str | None) -> FastMCP:
        settings = self.settings.load({**self.flags, "mandate": mandate})
        return self.spec.create_server(settings, self.spec.store(settings))

    def pickled(self) -> str:
        # The path first, and apart: what the rest names has to be found by it.
        return base64.b64encode(pickle.dumps(sys.path) + pickle.dumps(self)).decode()


@dataclass(frozen=True)
class Step:
    """One call, in a process of its own that dies at `place`: of `Passed.places`, or never."""

    mandate: str
    tool: str
    arguments: Mapping[str, Any]
    use: str
    place: str = ""


@dataclass(frozen=True)
class Passed:
    """How a step ended: by which signal or code, and if it lived, the places that it passed and what was answered."""

    exit_code: int
    places: tuple[str, ...] = ()
    answer: str = ""

    @property
    def killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL


@dataclass(frozen=True)
class Session:
    """A worker's session over stdio, whose bytes go through a socket on this port."""

    mandate: str
    port: int


Line = Callable[[bytes], Awaitable[str]]
_Pipes = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Processes:
    """What starts processes of a server under test, one at a time; see `processes`."""

    def __init__(self, back: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        self._back, self._to = back, to

    async def run(self, step: Step) -> Passed:
        """Take a step in a process of its own."""
        self._send(step)
        return await self._ended()

    @asynccontextmanager
    async def on_stdio(self, mandate: str, era: str) -> AsyncGenerator[Line]:
        """A function that sends a line to a process that serves this mandate, and returns the line that it answers."""
        connected: asyncio.Queue[_Pipes] = asyncio.Queue()

        def connect(back: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            connected.put_nowait((back, to))

        async with await asyncio.start_server(connect, "127.0.0.1", 0, limit=_LINE_BYTES) as listener:
            self._send(Session(mandate, listener.sockets[0].getsockname()[1]))
            async with asyncio.timeout(_STARTS_S):
                back, to = await connected.get()
            try:
                yield await _greeted(back, to, era)
            finally:
                to.close()
                async with asyncio.timeout(_ENDS_S):
                    await self._ended()

    def _send(self, order: Step | Session) -> None:
        self._to.write(json.dumps(asdict(order)).encode() + b"\n")

    async def _ended(self) -> Passed:
        said: dict[str, Any] = {}
        while not (line := await self._back.readline()).startswith(b"exit "):
            assert line, "the process that starts the others has ended"
            said = json.loads(line)
        return Passed(int(line.split()[1]), tuple(said.get("places", ())), said.get("answer", ""))


@asynccontextmanager
async def processes(target: Target) -> AsyncGenerator[Processes]:
    """What starts processes of this server, while the block lasts. Needs `os.fork`."""
    async with _started("forks", target) as pipes:
        yield Processes(*pipes)


@asynccontextmanager
async def on_stdio(target: Target, mandate: str, era: str) -> AsyncGenerator[Line]:
    """As `Processes.on_stdio`, where nothing forks."""
    async with _started("stdio", target, mandate) as (back, to):
        yield await _greeted(back, to, era)


async def _greeted(back: asyncio.StreamReader, to: asyncio.StreamWriter, era: str) -> Line:
    async def line(sent: bytes) -> str:
        to.write(sent + b"\n")
        return (await back.readline()).decode()

    if era == LEGACY:
        client = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
        assert '"result"' in await line(json.dumps(hello).encode())
        to.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    return line


@asynccontextmanager
async def _started(kind: str, target: Target, mandate: str = "") -> AsyncGenerator[_Pipes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"from {__name__} import main; main({kind!r}, {target.pickled()!r})"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **_QUIET, **({MANDATE_VARIABLE: mandate} if mandate else {})},
        limit=_LINE_BYTES,
    )
    assert process.stdin and process.stdout
    try:
        yield process.stdout, process.stdin
        process.stdin.close()
        async with asyncio.timeout(_ENDS_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class _Places:
    """The places that a call passes, each by name: those of `faults`, and before and after each commit."""

    def __init__(self, deadly: str) -> None:
        self.passed: list[str] = []
        self._deadly, self._commits, self._after = deadly, 0, 0

    def watch(self) -> None:
        faults.hook = self._pass
        event.listen(Engine, "commit", self._before_commit)
        event.listen(Pool, "checkin", self._after_commit)

    def _before_commit(self, connection: object) -> None:
        del connection
        self._commits += 1
        self._pass(f"before commit {self._commits}")

    def _after_commit(self, dbapi: object, record: object) -> None:
        del dbapi, record
        if self._after < self._commits:
            self._after = self._commits
            self._pass(f"after commit {self._commits}")

    def _pass(self, name: str) -> None:
        if name == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if name not in self.passed:
            self.passed.append(name)


async def _take(server: FastMCP, step: Step) -> None:
    guard = guard_of(server)
    guard.local = await guard.authority.principal(step.mandate)
    call = {"name": step.tool, "arguments": step.arguments, "_meta": {"claudecode/toolUseId": step.use}}
    asked = CallToolRequest(params=CallToolRequestParams.model_validate(call))
    async with Client(server) as client:
        places = _Places(step.place)
        places.watch()
        # Not `call_tool`, which first lists all tools to check the answer.
        result = await client.session.send_request(asked, CallToolResult)
        passed = [*places.passed]
    print(json.dumps({"places": passed, "answer": str(result.content)}), flush=True)  # noqa: T201  to whoever started it


def _serve(target: Target, session: Session) -> None:
    """Over standard input and output that are the two ends of a socket."""
    with socket.create_connection(("127.0.0.1", session.port)) as connection:
        for descriptor in (0, 1):
            os.dup2(connection.fileno(), descriptor)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    os.environ[MANDATE_VARIABLE] = session.mandate
    _serve_stdio(target)


def _serve_stdio(target: Target) -> None:
    run(serve_stdio(target.server(os.environ[MANDATE_VARIABLE])))


def _fork(target: Target) -> None:
    server = target.server(None)
    asyncio.run(server.list_tools(run_middleware=False))  # so that what a call imports is there, too
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            if "port" in order:
                _serve(target, Session(**order))
            else:
                asyncio.run(_take(server, Step(**order)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("exit", os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  as above


def main(kind: str, pickled: str) -> None:
    content = io.BytesIO(base64.b64decode(pickled))
    sys.path[:] = pickle.load(content)  # the parent's
    target: Target = pickle.load(content)
    logs.configure("error")
    if kind == "forks":
        _fork(target)
    else:
        _serve_stdio(target)
