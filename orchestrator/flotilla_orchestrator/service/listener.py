"""Serves the API over HTTP, within the kit's limits, until the block ends."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from flotilla_kit.http.limits import HttpLimits, LimitedApp
from flotilla_kit.http.protocol import LimitedProtocol
from starlette.types import ASGIApp

from .problems import describe_refusal

_GRACE_S = 10  # how long answers may take to finish at the end


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it: it is told to stop."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncGenerator[asyncio.Task[None]]:
    """The task that serves, once it takes calls; told to stop at the end of the block, and waited for."""
    limits = HttpLimits()
    config = uvicorn.Config(
        LimitedApp(app, limits, describe=describe_refusal),
        http=LimitedProtocol,
        timeout_keep_alive=limits.keep_alive_s,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  uvicorn offers no event for it
            await asyncio.sleep(0.005)
        yield task
    finally:
        server.should_exit = True
        await task
