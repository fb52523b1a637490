"""HTTP as bytes: what a client that breaks the protocol's rules sends, and what comes back; a small application."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from flotilla_kit.http.limits import HttpLimits, LimitedApp
from flotilla_kit.http.protocol import LimitedProtocol
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

MB = 1024 * 1024
HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /mcp HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """All that came until the server closed the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The refusal's code; fails unless it has the fleet's shape."""
        said: dict[str, Any] = json.loads(self.body)
        assert list(said) == ["code", "message", "suggestion", "retryable", "details"]
        assert self.headers["content-type"] == "application/json" and self.headers["connection"] == "close"
        return str(said["code"])


async def exchange(url: str, *pieces: bytes, until_closed: AsyncIterator[bytes] | None = None) -> Answer:
    """Send bytes (and then more of them until the server takes no more), and read until it closes."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
        with suppress(ConnectionError):
            await writer.drain()
            async for piece in until_closed or nothing():
                writer.write(piece)
                await writer.drain()

    sending = asyncio.create_task(send())
    received = b""
    try:
        async with asyncio.timeout(20):
            with suppress(ConnectionError):  # it may also reset
                while read := await reader.read(65536):
                    received += read
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status.split()[1]) if status else 0, headers, body)


async def nothing() -> AsyncGenerator[bytes]:
    return
    yield b""


async def again_and_again(piece: bytes, pause: float = 0) -> AsyncGenerator[bytes]:
    while True:
        yield piece
        await asyncio.sleep(pause)


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def repeat(request: Request) -> Response:
    """What the application was given, as JSON."""
    body = await request.body()
    headers = [[name.decode(), value.decode("latin-1")] for name, value in request.headers.raw]
    return JSONResponse({"method": request.method, "headers": headers, "body": body.decode()})


async def stream(request: Request) -> Response:
    size = len(await request.body())

    async def pieces() -> AsyncGenerator[str]:
        for number in range(3):
            yield f"{number}:{size};"

    return StreamingResponse(pieces())


async def hold(request: Request) -> Response:
    """Answers when its caller is gone."""
    await request.body()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def slow(request: Request) -> Response:
    body = await request.body()
    await asyncio.sleep(0.2)
    return PlainTextResponse(body)


ROUTES = {"mcp": echo, "repeat": repeat, "stream": stream, "slow": slow, "hold": hold}


@asynccontextmanager
async def serving(limits: HttpLimits, refused: Counter[str] | None = None) -> AsyncGenerator[str]:
    """A small application under `limits`; `refused` counts the refusals."""
    routes = [Route(f"/{name}", function, methods=["GET", "POST"]) for name, function in ROUTES.items()]
    counts = Counter[str]() if refused is None else refused
    app = LimitedApp(Starlette(routes=routes), limits, lambda code: counts.update([code]))
    config = uvicorn.Config(
        app, http=LimitedProtocol, ws="none", log_config=None, timeout_keep_alive=limits.keep_alive_s
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
