"""Processes of a server under test: one that serves a mandate over stdio, and ones that die in the middle of a call.

One process forks the latter, one for every line of its input, a step as JSON, and says how each ended: that saves the
second that starting Python takes.
"""

import asyncio
import base64
import io
import json
import os
import pickle
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from fastmcp import Client, FastMCP
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from ..cli import ServerSpec
from ..effects import faults
from ..settings import MANDATE_VARIABLE, ServerSettings
from ..telemetry import logs
from .wire import LEGACY

_LINE_BYTES = 2**24
_QUIET = {"FASTMCP_LOG_ENABLED": "false", "FASTMCP_CHECK_FOR_UPDATES": "off", "FASTMCP_ENV_FILE": os.devnull}


@dataclass(frozen=True)
class Target:
    """What another process needs to start the server; all of it can be pickled, so its functions have module names."""

    spec: ServerSpec
    settings: type[ServerSettings]
    flags: Mapping[str, Any]

    def server(self, mandate: str) -> FastMCP:
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


Run = Callable[[Step], Awaitable[Passed]]


@asynccontextmanager
async def victims(target: Target) -> AsyncGenerator[Run]:
    """A function that takes a step in a process of its own."""
    async with _started("victims", target) as (to, back):

        async def run(step: Step) -> Passed:
            to.write(json.dumps(asdict(step)).encode() + b"\n")
            said: dict[str, Any] = {}
            while not (line := await back.readline()).startswith(b"exit "):
                assert line, "the process that starts victims has ended"
                said = json.loads(line)
            return Passed(int(line.split()[1]), tuple(said.get("places", ())), said.get("answer", ""))

        yield run


@asynccontextmanager
async def on_stdio(target: Target, mandate: str, era: str) -> AsyncGenerator[Callable[[bytes], Awaitable[str]]]:
    """A function that sends a line to a process that serves this mandate, and returns the line that it answers."""
    async with _started("stdio", target, mandate) as (to, back):

        async def line(sent: bytes) -> str:
            to.write(sent + b"\n")
            return (await back.readline()).decode()

        if era == LEGACY:
            client = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
            assert '"result"' in await line(json.dumps(hello).encode())
            to.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        yield line


@asynccontextmanager
async def _started(
    kind: str, target: Target, mandate: str = ""
) -> AsyncGenerator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"from {__name__} import main; main({kind!r}, {target.pickled()!r})"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **_QUIET, **({MANDATE_VARIABLE: mandate} if mandate else {})},
        limit=_LINE_BYTES,
    )
    assert process.stdin and process.stdout
    try:
        yield process.stdin, process.stdout
        process.stdin.close()
        async with asyncio.timeout(20):
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


async def _take(target: Target, step: Step) -> None:
    async with Client(target.server(step.mandate)) as client:
        places = _Places(step.place)
        places.watch()
        meta = {"claudecode/toolUseId": step.use}
        result = await client.call_tool(step.tool, dict(step.arguments), raise_on_error=False, meta=meta)
        passed = [*places.passed]
    print(json.dumps({"places": passed, "answer": str(result.content)}), flush=True)  # noqa: T201  to whoever started it


def _fork(target: Target) -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(_take(target, Step(**json.loads(line))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("exit", os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  as above


def main(kind: str, pickled: str) -> None:

    content = io.BytesIO(base64.b64decode(pickled))
    sys.path[:] = pickle.load(content)  # the parent's
    target: Target = pickle.load(content)
    logs.configure("error")
    if kind == "victims":
        _fork(target)
    else:
        asyncio.run(target.server(os.environ[MANDATE_VARIABLE]).run_stdio_async(show_banner=False))
