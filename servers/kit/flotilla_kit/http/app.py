"""The ASGI application of a server: MCP at `/mcp`, who may call it, the audit around it, `/healthz` and `/readyz`."""

from urllib.parse import urlsplit

from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from ..errors import StoreUnavailable
from ..identity.auth import Bearer
from ..server import guard_of
from ..settings import ServerSettings
from ..storage import Store
from .audit import HttpAudit
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
    app = KnownHosts(
        server.http_app(path="/mcp", stateless_http=True, host_origin_protection=False),
        allowed_hosts=[*settings.allowed_hosts, *([named] if named else [])],
        allowed_origins=[settings.public_url] if settings.public_url else None,
    )
    return audit.around(app), audit


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
