"""What a run costs a fleet: processor time, transactions, rows and bytes; the figures of docs/sizing.md.

`python -m benchmarks.sizing [RUNS]`, on SQLite and, where one is installed, on PostgreSQL. Processor time depends less
on what else the machine does than other times, but still varies by a third.
"""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from .large import postgresql
from .service import CONCURRENCY, Service, resident, start, start_all, until_ended

RUNS = 40
FIRST = 1_000_000  # the number of the run before all that are counted
IDLE_S, SETTLED_S = 30.0, 8.0
_TICKS_S = os.sysconf("SC_CLK_TCK")
_SQL = """
    SELECT xact_commit, tup_inserted + tup_updated + tup_deleted, pg_database_size(datname)
    FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True)
class Used:
    """Sums since the start.

    Attributes:
        own_s: processor time of the orchestrator's process.
        all_s: the same with all that it has started: sessions, local servers.
        transactions: with the rest, of the whole database, PostgreSQL's only; its polling is in them.
    """

    own_s: float
    all_s: float
    transactions: int = 0
    rows: int = 0
    size_bytes: int = 0

    def __sub__(self, other: "Used") -> "Used":
        return Used(
            self.own_s - other.own_s,
            self.all_s - other.all_s,
            self.transactions - other.transactions,
            self.rows - other.rows,
            self.size_bytes - other.size_bytes,
        )


def used(service: Service, pid: int) -> Used:
    own, ended = _processor_s(pid)
    everything = own + ended + sum(sum(_processor_s(child)) for child in _descendants(pid))
    if url := service.environment.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            row: tuple[int, ...] = connection.execute(_SQL).fetchone() or (0, 0, 0)
        return Used(own, everything, *row)
    return Used(own, everything)


def _processor_s(pid: int) -> tuple[float, float]:
    """Of a process, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0  # it has just ended
    user, system, children_user, children_system = (int(field) / _TICKS_S for field in fields[11:15])
    return user + system, children_user + children_system


def _descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *_descendants(child))]


async def _waiting(client: Any, count: int) -> None:
    while len((await client.get("/v1/approvals")).json()["items"]) < count:  # noqa: ASYNC110  the API has no event for it
        await asyncio.sleep(0.2)


async def measure(service: Service, store: str, count: int) -> None:
    async with service.serve("one", CONCURRENCY) as (url, pid), service.client(url) as client:
        await until_ended(client, [(await start(client, "quick", FIRST))[0]])  # the server is there, and all is loaded
        await asyncio.sleep(SETTLED_S)
        before = used(service, pid)
        await asyncio.sleep(IDLE_S)
        idle = used(service, pid) - before
        print(
            f"{store}: idle {idle.own_s / IDLE_S:.1%} of a core, {idle.transactions / IDLE_S:.1f} transactions a second"
        )

        before = used(service, pid)
        await asyncio.gather(*(_repeat(client) for _ in range(count)))
        answered = used(service, pid) - before
        print(f"{store}: a repeated POST {answered.own_s / count * 1000:.1f} ms of a core")

        before, memory = used(service, pid), resident(pid)
        await start_all(service, url, "asks", count)
        await _waiting(client, count)
        _print(store, "a run until it waits, without a session", used(service, pid) - before, count)
        print(f"{store}: a waiting run {(resident(pid) - memory) / count / 1e6:.2f} MB")

        before = used(service, pid)
        run_ids, _ = await start_all(service, url, "quick", count)
        states = await until_ended(client, run_ids)
        assert states["ok"] == count, states
        _print(store, "a run with one session and no call", used(service, pid) - before, count)


async def _repeat(client: Any) -> None:
    body = {"playbook": "quick", "task": "Do it.", "model": "rehearsal"}
    answer = await client.post("/v1/runs", json=body, headers={"Idempotency-Key": f"quick-{FIRST}"})
    assert answer.status_code == 200, answer.text


def _print(store: str, what: str, spent: Used, count: int) -> None:
    text = f"{spent.own_s / count:.2f} s of a core in the orchestrator, {spent.all_s / count:.2f} s with its sessions"
    if spent.rows:
        text += f", {spent.transactions / count:.0f} transactions, {spent.rows / count:.0f} rows written"
        text += f", {spent.size_bytes / count / 1024:.0f} KiB"
    print(f"{store}: {what}: {text}")


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else RUNS
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Service(Path(folder)), "SQLite", count))
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        if url is not None:
            service = Service(Path(folder))
            service.environment["DATABASE_URL"] = url
            asyncio.run(measure(service, "PostgreSQL", count))


if __name__ == "__main__":
    main(sys.argv[1:])
