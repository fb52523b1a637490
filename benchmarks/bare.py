"""What we are measured against, served by the kit's own recipe: a FastMCP tool."""

import asyncio
import gc
import sys

from fastmcp import FastMCP
from flotilla_kit.http.addresses import listen
from flotilla_kit.http.serving import serve_app
from flotilla_kit.server import GC_THRESHOLD
from flotilla_kit.telemetry import logs

bare = FastMCP("bare", strict_input_validation=True)


@bare.tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def answer_schema_lookups(server: FastMCP) -> None:
    """As the kit does: from a table, not by listing the tools for each call."""
    schemas = {tool.name: tool.parameters for tool in await server.list_tools(run_middleware=False)}
    server._mcp_server.get_tool_input_schema = schemas.get  # pyright: ignore[reportPrivateUsage]  # as above


def serve(server: FastMCP) -> None:
    """Serve as the kit does, without its guard, until standard input ends."""
    logs.configure("info")
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    app = server.http_app(path="/mcp", stateless_http=True, host_origin_protection=True)
    running = serve_app(app, *listen("127.0.0.1", 0), exit_with_stdin=True)
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(running)
    else:
        uvloop.run(running)


def main() -> None:
    asyncio.run(answer_schema_lookups(bare))
    if sys.argv[1:] == ["--stdio"]:
        bare.run(show_banner=False)
    else:
        serve(bare)


if __name__ == "__main__":
    main()
