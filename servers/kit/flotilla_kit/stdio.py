"""Serving over stdio: requests are read and answers written by the event loop itself.

The SDK has a thread read each line and two more write each answer, which takes as long as a short tool.
"""

import asyncio
import os
import select
import stat
import sys
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.to_thread import run_sync
from fastmcp import FastMCP
from fastmcp.server.context import reset_transport, set_transport
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

_CHUNK = 65_536


async def serve_stdio(server: FastMCP) -> None:
    """Serve the client at the other end of stdin and stdout, until stdin ends.

    Meanwhile whatever else reads stdin finds nothing there, and what it prints goes to stderr.
    """
    if not _is_pollable(0):
        await server.run_stdio_async(show_banner=False)
        return
    # FastMCP 4.1 has no public way to serve streams other than its own.
    sdk = server._mcp_server  # pyright: ignore[reportPrivateUsage]
    transport = set_transport("stdio")
    try:
        async with sdk.lifespan(sdk):
            with _standard_streams() as (stdin, stdout):
                await sdk.run(Requests(stdin), Answers(stdout), sdk.create_initialization_options())
    finally:
        reset_transport(transport)


def _is_pollable(fd: int) -> bool:
    """Whether an event loop can wait for it. It can for a terminal, but would change how the shell's reads behave."""
    mode = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


@contextmanager
def _standard_streams() -> Generator[tuple[int, int]]:
    """Stdin and stdout for this server alone."""
    with Path(os.devnull).open("rb") as nothing, _taken(0, nothing.fileno()) as stdin, _taken(1, 2) as stdout:
        yield stdin, stdout


@contextmanager
def _taken(standard: int, instead: int) -> Generator[int]:
    """A duplicate of a standard stream, in whose place is another one meanwhile."""
    taken = os.dup(standard)
    os.dup2(instead, standard)
    try:
        yield taken
    finally:
        os.dup2(taken, standard)
        os.close(taken)


class Requests(ObjectReceiveStream[SessionMessage | Exception]):
    """The messages in the lines of a pipe or socket, in place of one that cannot be read what is wrong with it."""

    def __init__(self, fd: int) -> None:
        self._fd, self._loop = fd, asyncio.get_running_loop()
        self._lines: deque[bytearray] = deque()
        self._rest = bytearray()
        self._arrived, self._ended = asyncio.Event(), False
        self._loop.add_reader(fd, self._read)

    async def receive(self) -> SessionMessage | Exception:
        while not self._lines:
            if self._ended:
                raise anyio.EndOfStream
            self._arrived.clear()
            await self._arrived.wait()
        line = self._lines.popleft().decode(errors="replace")
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            return error

    async def aclose(self) -> None:
        self._loop.remove_reader(self._fd)

    def _read(self) -> None:
        chunk = os.read(self._fd, _CHUNK)
        self._rest += chunk
        if not chunk:
            self._ended = True
            self._loop.remove_reader(self._fd)
            chunk = b"\n" if self._rest else b""  # nobody will end the last line any more
            self._rest += chunk
        if b"\n" in chunk:
            *lines, self._rest = self._rest.split(b"\n")
            self._lines.extend(lines)
        self._arrived.set()


class Answers(ObjectSendStream[SessionMessage]):
    """Messages as lines into a pipe, socket or file."""

    def __init__(self, fd: int) -> None:
        self._fd, self._turn = fd, asyncio.Lock()
        self._writable = select.poll()
        self._writable.register(fd, select.POLLOUT)

    async def send(self, item: SessionMessage) -> None:
        line = memoryview(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
        async with self._turn:
            try:
                if rest := self._write(line, wait_ms=0):
                    await run_sync(self._write, rest, None)  # to its end, also when the request is cancelled
            except OSError:
                raise anyio.BrokenResourceError from None

    async def aclose(self) -> None:
        pass

    def _write(self, line: memoryview, wait_ms: int | None) -> memoryview:
        """Write as much as the reader makes room for in time, and return the rest."""
        while line and self._writable.poll(wait_ms):
            line = line[os.write(self._fd, line[: select.PIPE_BUF]) :]  # so much never blocks what is writable
        return line
