"""Local servers as processes: started, their stderr written to a log file, ended with the block.

A local server is a command that takes Flotilla's own flags: it binds a free port, writes its URL in one JSON line to
stderr, and exits at the end of its standard input, so it never outlives the process that started it.
"""

import asyncio
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..config.fleet import Server
from ..errors import Failure
from ..provider import server_environment

_STOP_S = 5  # how long a server may take to finish before it is terminated, and again before it is killed


@dataclass(frozen=True)
class ServerProcess:
    """A started server; `listening` is its URL once it accepts calls, `wait` returns its exit code."""

    listening: asyncio.Future[str]
    wait: Callable[[], Awaitable[int]]


@asynccontextmanager
async def server_process(
    name: str, server: Server, folder: Path, logs: Path, flags: Sequence[str], environ: Mapping[str, str], port: int = 0
) -> AsyncGenerator[ServerProcess]:
    """Start a server on this port, or (0) on a free one; it is stopped with the block."""
    assert server.command
    program, *arguments = server.command
    log = _open_log(logs, name)
    try:
        process = await asyncio.create_subprocess_exec(
            executable(program),
            *(*arguments, "--http", f"127.0.0.1:{port}", "--exit-with-stdin", *flags),
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
    draining = asyncio.create_task(_copy_log(name, process, listening, log))
    try:
        yield ServerProcess(listening, process.wait)
    finally:
        await _stop(process)
        await draining
        listening.cancel()


def _open_log(logs: Path, name: str) -> BinaryIO:
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    return (logs / f"{name}.log").open("ab")


def executable(program: str) -> str:
    """The program on PATH, else beside this Python (a virtual environment that is not activated)."""
    beside = Path(sys.executable).parent / program
    return shutil.which(program) or (str(beside) if beside.exists() else program)


async def _copy_log(
    name: str, process: asyncio.subprocess.Process, listening: "asyncio.Future[str]", log: BinaryIO
) -> None:
    assert process.stderr
    last = ""
    with log:
        async for line in process.stderr:
            log.write(line)
            log.flush()
            last = line.decode(errors="replace").strip() or last
            if not listening.done() and (url := _listening_url(line)):
                listening.set_result(url)
    if not listening.done():
        code = await process.wait()
        failure = Failure("server_failed", f"The server {name} ended with {code}: {last[:300]}", f"See {log.name}.")
        listening.set_exception(failure)


def _listening_url(line: bytes) -> str | None:
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and event.get("event") == "listening":  # pyright: ignore[reportUnknownMemberType]  # JSON
            return str(event["url"])  # pyright: ignore[reportUnknownArgumentType]  # JSON
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
