"""What we are measured against, served by the kit's own recipe: a FastMCP tool and a plain Starlette endpoint."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.lifespan import lifespan
from flotilla_kit import http, logs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

SCHEMAS: dict[str, Any] = {}


@lifespan
async def life(server: FastMCP) -> AsyncIterator[dict[str, Any]]:
    SCHEMAS.update({tool.name: tool.parameters for tool in await server.list_tools(run_middleware=False)})
    gc.collect()
    gc.freeze()
    yield {}


bare = FastMCP("bare", lifespan=life, strict_input_validation=True)
bare._mcp_server.get_tool_input_schema = SCHEMAS.get  # pyright: ignore[reportPrivateUsage]  # as the kit does


@bare.tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@bare.custom_route("/plain", methods=["POST"])
async def plain(request: Request) -> Response:
    await request.body()
    return JSONResponse({"result": 3})


class NoStore:
    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...


def main() -> None:
    if sys.argv[1:] == ["--stdio"]:
        bare.run(show_banner=False)
        return
    logs.configure("info")
    serving = http.serve_http(bare, NoStore(), "127.0.0.1", 0, exit_with_stdin=True)
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)


if __name__ == "__main__":
    main()
