"""Serves over streamable HTTP at `/mcp`: stateless, both protocol eras, with `/healthz` and `/readyz`."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import uvicorn
from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from ..errors import StoreUnavailable
from ..identity.auth import Bearer
from ..server import guard_of
from ..settings import ServerSettings, SettingsError
from ..storage import Store
from .audit import HttpAudit
from .limits import HttpLimits, LimitedApp, LimitedProtocol

logger = logging.getLogger(__name__)
_GRACE_S = 20  # how long calls may take to finish once the server is told to stop
_UNHEARD_S = 2  # the same when whoever started it has gone


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`; port 0 takes a free one.

    Raises:
        SettingsError: it is not an address.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"--http takes HOST:PORT, for example 127.0.0.1:8101; {text!r} is not that")
    return host, int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def add_health_routes(server: FastMCP, store: Store) -> None:
    """`/healthz`: the process answers. `/readyz`: its store does. Both are open to all and say nothing else."""

    @server.custom_route("/healthz", methods=["GET"])
    async def healthz(_: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # a route
        return JSONResponse({"status": "ok"})

    @server.custom_route("/readyz", methods=["GET"])
    async def readyz(_: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # a route
        try:
            await store.ping()
        except StoreUnavailable:
            return JSONResponse({"status": "unavailable"}, status_code=503)
        return JSONResponse({"status": "ok"})


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
    guard = guard_of(server)
    audit = HttpAudit(guard)
    if ask_for_tokens:
        guard.local = None
        server.auth = Bearer(guard.authority, settings.public_url or address, audit.count)
    add_health_routes(server, store)
    named = urlsplit(settings.public_url).hostname if settings.public_url else None
    app = server.http_app(
        path="/mcp",
        stateless_http=True,
        host_origin_protection=True,
        allowed_hosts=[*settings.allowed_hosts, *([named] if named else [])],
        allowed_origins=[settings.public_url] if settings.public_url else None,
    )
    counting = asyncio.create_task(audit.write_counts())
    try:
        await serve_app(audit.around(app), listener, address, refused=audit.count, exit_with_stdin=exit_with_stdin)
    finally:
        await _cancelled(counting)


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A bound socket, and the address of what will answer there.

    Raises:
        OSError: the address cannot be bound.
    """
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"


async def serve_app(
    app: ASGIApp,
    listener: socket.socket,
    address: str,
    *,
    refused: Callable[[str], None] | None = None,
    exit_with_stdin: bool = False,
) -> None:
    """Serve an application within `HttpLimits` until told to stop. `refused` hears the code of what exceeds them."""
    limits = HttpLimits()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.socket_bytes)
    config = uvicorn.Config(
        LimitedApp(app, limits, refused) if refused else LimitedApp(app, limits),
        http=LimitedProtocol,  # over h11: httptools keeps white space around header values, which the SDK must not see
        timeout_keep_alive=limits.keep_alive_s,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    http = uvicorn.Server(config)

    async def announce() -> None:
        while not http.started:  # noqa: ASYNC110  uvicorn offers no event for it
            await asyncio.sleep(0.005)
        logger.info("listening", extra={"url": f"{address}/mcp"})

    async def follow_stdin() -> None:
        # A parent that is killed cannot tell its children; the end of the pipe does.
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()
        config.timeout_graceful_shutdown = _UNHEARD_S
        http.should_exit = True

    helpers = [asyncio.create_task(announce())]
    if exit_with_stdin:
        helpers.append(asyncio.create_task(follow_stdin()))
    try:
        await http.serve(sockets=[listener])
    finally:
        for helper in helpers:
            await _cancelled(helper)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
