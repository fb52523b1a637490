"""Billing beside a bare FastMCP tool and a bare Starlette endpoint: calls over HTTP, start and memory over stdio."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from flotilla_kit.identity.keys import SigningKey, write_jwks
from pydantic import JsonValue

from .load import Load, measure, post, tool_call

CONCURRENCY = (1, 16, 32)
SECONDS = 0.5  # short and many, interleaved: a slow moment of the machine hits all alike
ROUNDS = 9
BIN = Path(sys.executable).parent


@contextmanager
def served(command: Sequence[str | Path]) -> Generator[str]:
    """A server process that logs `listening`; yields its address."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stderr is not None
    try:
        yield next(str(json.loads(line)["url"]) for line in process.stderr if '"listening"' in line)
    finally:
        process.stdin.close()
        process.wait(20)


async def calls() -> None:
    """Print calls per second and latencies; rounds are interleaved, so a slow moment hits all alike."""
    with tempfile.TemporaryDirectory() as home:
        billing = [BIN / "flotilla-billing", "--home", home, "--demo-data", "--http", "127.0.0.1:0"]
        with (
            served([sys.executable, "-m", "benchmarks.bare"]) as bare_url,
            served([*billing, "--auth", "none", "--exit-with-stdin"]) as billing_url,
        ):
            transaction = await _some_transaction(billing_url)
            subjects = {
                "starlette": (bare_url, post(bare_url.replace("/mcp", "/plain"), "{}", {})),
                "fastmcp add": (bare_url, tool_call(bare_url, "add", {"a": 1, "b": 2})),
                "billing get_transaction": (
                    billing_url,
                    tool_call(billing_url, "get_transaction", {"transaction_id": transaction}),
                ),
                "billing find_transactions": (
                    billing_url,
                    tool_call(billing_url, "find_transactions", {"customer_id": "cust_12345", "limit": 5}),
                ),
            }
            print(f"{'':28}{'c':>3}{'calls/s':>10}{'of fastmcp':>12}{'p50 ms':>9}{'p99 ms':>9}{'p99 of fastmcp':>16}")
            for connections in CONCURRENCY:
                rounds: dict[str, list[Load]] = {name: [] for name in subjects}
                for _ in range(ROUNDS):
                    for name, (url, request) in subjects.items():
                        rounds[name].append(await measure(url, request, connections=connections, seconds=SECONDS))
                loads = {name: _median(measured) for name, measured in rounds.items()}
                bare = loads["fastmcp add"]
                for name, load in loads.items():
                    print(
                        f"{name:28}{connections:>3}{load.calls_per_second:>10.0f}"
                        f"{load.calls_per_second / bare.calls_per_second:>12.2f}{load.p50_ms:>9.2f}{load.p99_ms:>9.2f}"
                        f"{load.p99_ms / bare.p99_ms:>16.2f}"
                    )


async def guarded() -> None:
    """Print what mandate, bounds, scope, rate limit and audit cost: the same tools with and without, interleaved."""
    key = SigningKey.generate()
    with tempfile.TemporaryDirectory() as guarded_home, tempfile.TemporaryDirectory() as unguarded_home:
        keys = Path(guarded_home) / "mandates.json"
        write_jwks(keys, [key.public_jwk()])
        billing = [BIN / "flotilla-billing", "--home", guarded_home, "--demo-data", "--http", "127.0.0.1:0"]
        with (
            served([*billing, "--mandate-keys", keys, "--calls-per-second", "1e6", "--exit-with-stdin"]) as with_url,
            served([sys.executable, "-m", "benchmarks.unguarded", unguarded_home]) as without_url,
        ):
            token = {"Authorization": f"Bearer {key.sign(_claims())}"}
            tools: dict[str, dict[str, Any]] = {
                "get_transaction": {"transaction_id": "ch_maya_feb_2"},
                "find_transactions": {"customer_id": "cust_12345", "limit": 5},
            }
            print(f"{'':28}{'c':>3}{'calls/s':>10}{'of unguarded':>14}{'p50 ms':>9}{'p50 more':>10}{'p99 ms':>9}")
            for connections in CONCURRENCY:
                for tool, arguments in tools.items():
                    requests = {
                        f"{tool} guarded": (with_url, tool_call(with_url, tool, arguments, token)),
                        f"{tool} unguarded": (without_url, tool_call(without_url, tool, arguments)),
                    }
                    rounds: dict[str, list[Load]] = {name: [] for name in requests}
                    for _ in range(ROUNDS):
                        for name, (url, request) in requests.items():
                            rounds[name].append(await measure(url, request, connections=connections, seconds=SECONDS))
                    loads = {name: _median(measured) for name, measured in rounds.items()}
                    bare = loads[f"{tool} unguarded"]
                    for name, load in loads.items():
                        print(
                            f"{name:28}{connections:>3}{load.calls_per_second:>10.0f}"
                            f"{load.calls_per_second / bare.calls_per_second:>14.2f}{load.p50_ms:>9.2f}"
                            f"{load.p50_ms - bare.p50_ms:>10.2f}{load.p99_ms:>9.2f}"
                        )


def _claims() -> dict[str, JsonValue]:
    """A researcher's: a bound, and a scope."""
    now = int(time.time())
    tools: list[JsonValue] = [
        {"type": "mcp_tool", "tool": "get_transaction"},
        {"type": "mcp_tool", "tool": "find_transactions", "arguments": {"properties": {"limit": {"maximum": 50}}}},
    ]
    who: dict[str, JsonValue] = {"iss": "flotilla", "aud": "billing", "sub": "researcher", "run": "bench", "jti": "1"}
    when: dict[str, JsonValue] = {"iat": now, "nbf": now, "exp": now + 3500}
    return {**who, **when, "authorization_details": tools, "scope": {"customer_id": "cust_12345"}}


async def starts() -> None:
    """Print time to the first tools/list over stdio and resident memory, beside a bare FastMCP server's."""
    with tempfile.TemporaryDirectory() as home:
        commands = {
            "fastmcp": [sys.executable, "-m", "benchmarks.bare", "--stdio"],
            "billing": [str(BIN / "flotilla-billing"), "--home", home, "--demo-data"],
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
        return taken, _resident(" ".join(command))


def _resident(wanted: str) -> int:
    processes = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout
    return max((int(line.split()[0]) for line in processes.splitlines() if wanted in line), default=0) * 1024


async def _some_transaction(url: str) -> str:
    async with Client(url) as client:
        found = await client.call_tool("find_transactions", {"customer_id": "cust_12345", "limit": 1})
        assert found.structured_content is not None
        return str(found.structured_content["items"][0]["transaction_id"])


def _median(loads: Sequence[Load]) -> Load:
    return Load(
        statistics.median(load.calls_per_second for load in loads),
        statistics.median(load.p50_ms for load in loads),
        statistics.median(load.p99_ms for load in loads),
    )


def surface() -> None:
    """Print what each server's tools cost a model in bytes."""
    for server in ("billing", "memory"):
        with tempfile.TemporaryDirectory() as home:
            table = subprocess.run(
                [BIN / f"flotilla-{server}", "--home", home, "tools"], capture_output=True, text=True, check=True
            ).stdout
        print(f"{server}\n{table}")


def main() -> None:
    surface()
    asyncio.run(starts())
    try:
        from uvloop import run
    except ModuleNotFoundError:
        from asyncio import run
    run(calls())
    run(guarded())
