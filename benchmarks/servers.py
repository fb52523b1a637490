"""What a server's tools cost a model, and its start and memory over stdio, beside a bare FastMCP server's."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

BIN = Path(sys.executable).parent


@contextmanager
def served(command: Sequence[str | Path]) -> Generator[str]:
    """A server process that logs `listening`; yields its address."""
    recipe = {**os.environ, "FASTMCP_TELEMETRY_MODE": "propagation_only"}  # as the command of a server says
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=recipe)
    assert process.stdin is not None and process.stderr is not None
    try:
        yield next(str(json.loads(line)["url"]) for line in process.stderr if '"listening"' in line)
    finally:
        process.stdin.close()
        process.wait(20)


async def starts() -> None:
    """Print time to the first tools/list over stdio and resident memory, beside a bare FastMCP server's."""
    with tempfile.TemporaryDirectory() as home:
        commands = {
            "fastmcp": [sys.executable, "-m", "benchmarks.bare", "--stdio"],
            "billing": [str(BIN / "flotilla-billing"), "--home", home, "--demo-data"],
            "crm": [str(BIN / "flotilla-crm"), "--home", home, "--demo-data"],
            "k8s": [str(BIN / "flotilla-k8s"), "--home", home],
            "memory": [str(BIN / "flotilla-memory"), "--home", home, "--demo-data"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        memory: dict[str, int] = {}
        for round_ in range(6):
            for name, command in commands.items():
                taken, memory[name] = await _start(command, Path(home) / "log")
                if round_:  # the first one migrates and loads the sample
                    seconds[name].append(taken)
        bare = statistics.median(seconds["fastmcp"])
        print(f"{'':28}{'first list s':>13}{'of fastmcp':>12}{'MB':>7}")
        for name, measured in seconds.items():
            median = statistics.median(measured)
            print(f"{name:28}{median:>13.3f}{median / bare:>12.2f}{memory[name] / 1e6:>7.0f}")


async def _start(command: Sequence[str], log: Path) -> tuple[float, int]:
    started = time.perf_counter()
    async with Client(StdioTransport(command[0], list(command[1:]), log_file=log, keep_alive=False)) as client:
        await client.list_tools()
        taken = time.perf_counter() - started
        return taken, resident(" ".join(command))


def resident(wanted: str) -> int:
    """The memory in bytes of the largest process whose command line has these words."""
    processes = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout
    return max((int(line.split()[0]) for line in processes.splitlines() if wanted in line), default=0) * 1024


def surface() -> None:
    """Print what each server's tools cost a model in bytes."""
    for server in ("billing", "crm", "memory"):
        with tempfile.TemporaryDirectory() as home:
            table = subprocess.run(
                [BIN / f"flotilla-{server}", "--home", home, "tools"], capture_output=True, text=True, check=True
            ).stdout
        print(f"{server}\n{table}")


def main() -> None:
    surface()
    asyncio.run(starts())


if __name__ == "__main__":
    main()
