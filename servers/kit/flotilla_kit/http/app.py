"""The ASGI application of a server: MCP at `/mcp`, who may call it, the audit around it, `/healthz` and `/readyz`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastmcp import FastMCP
from fastmcp.server.http import StarletteWithLifespan
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from ..errors import StoreUnavailable
from ..identity.auth import Bearer
from ..server import guard_of
from ..settings import ServerSettings
from ..storage import Store
from .audit import HttpAudit
from .direct import DirectAnswers
from .hosts import KnownHosts


def http_app(
    server: FastMCP, store: Store, settings: ServerSettings, address: str, *, ask_for_tokens: bool
) -> tuple[ASGIApp, HttpAudit]:
    """The application, stateless and for both protocol eras, and the audit that counts what it refuses.

    Args:
        address: where it listens, `http://HOST:PORT`.
        ask_for_tokens: without it every caller is the owner.
    """
    guard = guard_of(server)
    audit = HttpAudit(guard)
    if ask_for_tokens:
        guard.local = None
        server.auth = Bearer(guard.authority, settings.public_url or address, audit.count)
    _add_health_routes(server, store)
    named = urlsplit(settings.public_url).hostname if settings.public_url else None
    streaming, direct = (
        server.http_app(path="/mcp", stateless_http=True, json_response=as_json, host_origin_protection=False)
        for as_json in (False, True)
    )
    _share_lifespan(streaming, direct)
    app = KnownHosts(
        DirectAnswers(streaming, direct, guard.is_short),
        allowed_hosts=[*settings.allowed_hosts, *([named] if named else [])],
        allowed_origins=[settings.public_url] if settings.public_url else None,
    )
    return audit.around(app), audit


def _share_lifespan(app: StarletteWithLifespan, other: StarletteWithLifespan) -> None:
    """Have `other` start and end within `app`."""
    alone = app.router.lifespan_context

    @asynccontextmanager
    async def both(_: Starlette) -> AsyncGenerator[None]:
        async with alone(app), other.lifespan(other):
            yield

    app.router.lifespan_context = both


def _add_health_routes(server: FastMCP, store: Store) -> None:
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
