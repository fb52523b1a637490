"""Serving a server under test over HTTP in this process, as long as the suite runs over it."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from ..http.serving import serve_http
from .connections import Connections
from .harness import Harness
from .server import ServerUnderTest
from .tokens import Issuers

STARTS_S = 30


@asynccontextmanager
async def running(server: ServerUnderTest, home: Path, database_url: str | None = None) -> AsyncGenerator[Harness]:
    """The server, prepared, while the block lasts."""
    issuers = Issuers(home, server.settings.server)
    flags = {**server.given(home), "home": home, **issuers.settings, "calls_per_second": 1e6}
    if database_url is not None:
        flags["database_url"] = database_url
    harness = Harness(server, home, flags, issuers)
    async with _serving(harness):
        if server.prepare is not None:
            await server.prepare(harness.store)
        async with harness.beside(mandate=None) as owner:
            own = await owner.list_tools()
            harness.tools = {tool.name: tool.model_dump(by_alias=True) for tool in own}
            harness.resources = [str(resource.uri) for resource in await owner.list_resources()]
        try:
            yield harness
        finally:
            await harness.close()


@asynccontextmanager
async def _serving(harness: Harness) -> AsyncGenerator[None]:
    """Serve until the end of what it takes for its standard input."""
    reading, writing = os.pipe()
    with _listening() as address, _standard_input(reading):
        serving = asyncio.create_task(
            serve_http(harness.served, harness.store, harness.settings, "127.0.0.1", 0, exit_with_stdin=True)
        )
        async with asyncio.timeout(STARTS_S):
            await asyncio.wait([serving, address], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            os.close(writing)
            serving.result()
        harness.connections = Connections(address.result())
    try:
        yield
    finally:
        os.close(writing)
        await serving


@contextmanager
def _standard_input(descriptor: int) -> Generator[None]:
    before, sys.stdin = sys.stdin, os.fdopen(descriptor)
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _listening() -> Generator[asyncio.Future[str]]:
    """The address that the server's log says it listens at."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "listening" and not address.done():
                address.set_result(record.__dict__["url"])

    logger, handler = logging.getLogger("flotilla_kit"), Listening()
    level = logger.level
    logging.getLogger("fastmcp").setLevel(logging.CRITICAL)  # it draws a box around every refusal
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield address
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with suppress(asyncio.InvalidStateError):
            address.cancel()
