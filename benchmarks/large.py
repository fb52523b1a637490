"""What the benchmarks of large stores share: names without end, a server over stdio, and how long calls to it take."""

import os
import random
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import accumulate
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.support.postgres import binaries, cluster

SIZE = 20_000
_syllables = [a + b for a in "bcdfghklmnprstvw" for b in "aeiou"]
_spelling = random.Random(1)
WORDS = ["".join(_spelling.choices(_syllables, k=_spelling.choice((2, 3, 3, 4)))) for _ in range(SIZE)]
"""The same in every run."""
WEIGHTS = list(accumulate(1 / (rank + 10) for rank in range(SIZE)))
"""Cumulative, for `random.choices`: a few words are often drawn and most seldom, as in natural text."""

Call = tuple[str, Mapping[str, Any]]


@asynccontextmanager
async def over_stdio(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> AsyncGenerator[Client[Any]]:
    """A client of a server that is started for it."""
    transport = StdioTransport(
        command[0], list(command[1:]), env={**os.environ, **environment}, log_file=log, keep_alive=False
    )
    async with Client(transport) as client:
        yield client


async def timed(client: Client[Any], calls: Iterable[Call]) -> list[float]:
    """Seconds of each call, one after the other."""
    taken: list[float] = []
    for tool, arguments in calls:
        started = time.perf_counter()
        await client.call_tool(tool, dict(arguments))
        taken.append(time.perf_counter() - started)
    return taken


def percentiles(taken: Sequence[float]) -> str:
    """The median and the 95th percentile in two columns of milliseconds."""
    return f"{median(taken) * 1e3:>8.1f}{quantiles(taken, n=20)[-1] * 1e3:>8.1f}"


@contextmanager
def postgresql() -> Generator[str | None]:
    """The address of an empty PostgreSQL database that lives as long as the block; None where none is installed."""
    if (bin_folder := binaries()) is None:
        print("no PostgreSQL is installed")
        yield None
        return
    with cluster(bin_folder) as running:
        yield running.address
