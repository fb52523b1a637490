"""Which `Host` and `Origin` headers are let in: FastMCP's rules, asked once for each pair that passes."""

from collections.abc import Sequence

from fastmcp.server.http import HostOriginGuardMiddleware
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_MOST_REMEMBERED = 64


class KnownHosts:
    """An ASGI application that refuses foreign `Host` and `Origin` headers before the one inside it.

    FastMCP's guard decides. It reads addresses and patterns anew for every request, a twentieth of a call; the callers
    of a server send the same two headers over and over, so what it let in is remembered, and what it refused is not.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Sequence[str], allowed_origins: Sequence[str] | None) -> None:
        self._app = app
        self._known: set[tuple[object, ...]] = set()
        self._guard = HostOriginGuardMiddleware(self._let_in, allowed_hosts, allowed_origins, mode="strict")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _decides(scope) in self._known:
            await self._app(scope, receive, send)
        else:
            await self._guard(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self._known) < _MOST_REMEMBERED:
            self._known.add(_decides(scope))
        await self._app(scope, receive, send)


def _decides(scope: Scope) -> tuple[object, ...]:
    """All that FastMCP's guard decides by."""
    headers = Headers(scope=scope)
    return scope.get("server"), scope.get("scheme"), headers.get("host"), headers.get("origin")
