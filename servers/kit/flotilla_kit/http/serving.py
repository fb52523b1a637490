"""Serves over streamable HTTP with uvicorn, within `HttpLimits`, until told to stop: a whole server, or one worker."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import uvicorn
from fastmcp import FastMCP
from starlette.types import ASGIApp

from ..settings import ServerSettings
from ..storage import Store
from .addresses import listen
from .app import http_app
from .intake import Intake
from .limits import HttpLimits, LimitedApp
from .protocol import LimitedProtocol

logger = logging.getLogger(__name__)
GRACE_S = 20  # how long calls may take to finish once the server is told to stop
_UNHEARD_S = 2  # the same when whoever started it has gone


async def serve_http(
    server: FastMCP,
    store: Store,
    settings: ServerSettings,
    host: str,
    port: int,
    *,
    ask_for_tokens: bool = True,
    exit_with_stdin: bool = False,
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT, or the end of stdin with `exit_with_stdin`).

    Logs `{"event": "listening", "url": …}` once the socket accepts calls. Without `ask_for_tokens` every caller is the
    owner.

    Raises:
        OSError: the address cannot be bound.
    """
    listener, address = listen(host, port)
    app, audit = http_app(server, store, settings, address, ask_for_tokens=ask_for_tokens)
    async with _meanwhile(audit.write_counts()):
        await serve_app(app, listener, address, refused=audit.count, exit_with_stdin=exit_with_stdin)


async def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    address: str,
    *,
    refused: Callable[[str], None] | None = None,
    exit_with_stdin: bool = False,
) -> None:
    """Serve an application within `HttpLimits` until told to stop. `refused` hears the code of what exceeds them."""
    http = uvicorn.Server(_config(app, HttpLimits(), refused))

    async def announce() -> None:
        while not http.started:  # noqa: ASYNC110  uvicorn offers no event for it
            await asyncio.sleep(0.005)
        logger.info("listening", extra={"url": f"{address}/mcp"})

    async def follow_stdin() -> None:
        # A parent that is killed cannot tell its children; the end of the pipe does.
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        _stop_unheard(http)

    async with _meanwhile(announce(), *([follow_stdin()] if exit_with_stdin else [])):
        await http.serve(sockets=[listener])


async def serve_worker(
    server: FastMCP,
    store: Store,
    settings: ServerSettings,
    address: str,
    *,
    ask_for_tokens: bool,
    channel: socket.socket,
    ended: "memoryview[int]",
    number: int,
) -> None:
    """Serve the connections that come through `channel` until told to stop, or until its other end is closed.

    Says so there, by a byte, once it takes connections.

    Args:
        ended: how many of its connections have ended, kept up to date at `number`.
    """
    app, audit = http_app(server, store, settings, address, ask_for_tokens=ask_for_tokens)
    config = _config(app, HttpLimits().for_one_of(settings.workers), audit.count)
    async with _meanwhile(audit.write_counts()):
        await _WorkerServer(config, channel, ended, number).serve(sockets=[])


class _WorkerServer(uvicorn.Server):
    """A uvicorn server whose connections somebody else accepts."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, ended: "memoryview[int]", number: int) -> None:
        super().__init__(config)
        self._channel, self._ended, self._number = channel, ended, number

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._intake = Intake(self._channel, self._protocol, lambda: _stop_unheard(self))
        self.servers = [self._intake]  # pyright: ignore[reportAttributeAccessIssue]  # closed and waited for like one
        self._channel.send(b"\0")

    async def on_tick(self, counter: int) -> bool:
        # A tenth of a second late is soon enough to choose between workers. Some are there before they count as taken.
        self._ended[self._number] = max(0, self._intake.taken - len(self.server_state.connections))
        return await super().on_tick(counter)

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(self.config, self.server_state, self.lifespan.state)


def _config(app: ASGIApp, limits: HttpLimits, refused: Callable[[str], None] | None) -> uvicorn.Config:
    return uvicorn.Config(
        LimitedApp(app, limits, refused) if refused else LimitedApp(app, limits),
        http=LimitedProtocol,
        timeout_keep_alive=limits.keep_alive_s,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )


def _stop_unheard(http: uvicorn.Server) -> None:
    http.config.timeout_graceful_shutdown = _UNHEARD_S
    http.should_exit = True


@contextlib.asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Let these run beside the block, and no longer."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
