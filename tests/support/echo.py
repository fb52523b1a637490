"""A server over stdio without a store: `python echo.py`."""

import asyncio
import subprocess
import sys

from fastmcp import FastMCP
from flotilla_kit.event_loop import run
from flotilla_kit.stdio import serve_stdio

server = FastMCP("echo")


@server.tool
def echo(text: str) -> str:
    """Says it again."""
    return text


@server.tool
async def noise() -> str:
    """Prints, has a process print that it starts, and says what both can read."""
    print("noise of a tool", flush=True)
    found = await asyncio.to_thread(subprocess.run, ["cat"], stdout=subprocess.PIPE, check=True)
    await asyncio.to_thread(subprocess.run, ["echo", "noise of a process"], check=True)
    return f"{sys.stdin.read()}{found.stdout.decode()}"


if __name__ == "__main__":
    run(serve_stdio(server))
