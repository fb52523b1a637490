"""A small MCP server over HTTP that remembers what reached it, for sessions of the orchestrator to use."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from claude_agent_sdk.types import McpHttpServerConfig
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_http_headers
from pydantic import JsonValue

GRANTED = "mcp__desk__find_charge"
HIDDEN = "mcp__desk__refund"
BROKEN = "mcp__desk__always_fails"
ENDLESS = "mcp__desk__wait_forever"


@dataclass
class Desk:
    url: str
    calls: list[tuple[str, Mapping[str, JsonValue]]] = field(default_factory=list[tuple[str, Mapping[str, JsonValue]]])
    authorization: set[str | None] = field(default_factory=set[str | None])
    """The `Authorization` headers that came with calls."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a call that never ends has begun."""

    def config(self, **headers: str) -> McpHttpServerConfig:
        return {"type": "http", "url": self.url, "headers": headers}


@asynccontextmanager
async def running_desk(port: int = 0) -> AsyncGenerator[Desk]:
    """The server, in this event loop, on this loopback port, or a free one."""
    listening = socket.create_server(("127.0.0.1", port))  # a client that is early waits in the backlog
    desk = Desk(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp")
    serving = asyncio.create_task(
        _server(desk).run_http_async(
            show_banner=False,
            sockets=[listening],
            log_level="critical",
            uvicorn_config={"timeout_graceful_shutdown": 1},
        )
    )
    try:
        yield desk
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        listening.close()


def _server(desk: Desk) -> FastMCP:
    server = FastMCP("desk")

    @server.tool
    def find_charge(customer_id: str) -> dict[str, JsonValue]:  # pyright: ignore[reportUnusedFunction]  # registered
        desk.calls.append(("find_charge", {"customer_id": customer_id}))
        desk.authorization.add(get_http_headers(include={"authorization"}).get("authorization"))
        return {"charge_id": f"ch_{customer_id}", "amount_minor": 4900}

    @server.tool
    def refund(charge_id: str) -> str:  # pyright: ignore[reportUnusedFunction]  # registered
        desk.calls.append(("refund", {"charge_id": charge_id}))
        return "refunded"

    @server.tool
    def always_fails() -> str:  # pyright: ignore[reportUnusedFunction]  # registered
        raise ToolError('{"code": "ledger_closed"}')

    @server.tool
    async def wait_forever() -> None:  # pyright: ignore[reportUnusedFunction]  # registered
        desk.waiting.set()
        await asyncio.Event().wait()

    return server
