"""`python -m benchmarks.retrieval.scale`: inserts and searches in a store of many memories, 200 an account on average.

One account has 12,000. Words are drawn as natural text draws them, a few often and most seldom; a question has four to
seven of them, and half of the questions name a person.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_memory.records import Episode, Memory, Record, Turn
from flotilla_memory.sql_store import MIGRATIONS
from flotilla_memory.writing.bulk import write
from sqlalchemy import text

from ..large import WEIGHTS, WORDS, Call, over_stdio, percentiles, timed
from ..servers import BIN, resident

NOW = "2026-06-01T00:00:00.000+00:00"
LARGE = 12_000
BATCH = 1_000
TURNS = 20  # of an episode; half of an account's passages are turns, half are memories
NAMES = ("Dana", "Omar", "Priya", "Lena", "Marc", "Tomas", "Aisha", "Ruth")


class Writer:
    """Text without end, the same in every run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def words(self, fewest: int, most: int) -> str:
        count = self.random.randint(fewest, most)
        return " ".join(self.random.choices(WORDS, cum_weights=WEIGHTS, k=count))

    def name(self) -> str:
        return self.random.choice(NAMES)

    def time(self) -> str:
        draw = self.random.randint
        return f"{draw(2024, 2025)}-{draw(1, 12):02}-{draw(1, 28):02}T09:00:00.000+00:00"

    def question(self) -> str:
        person = f"{self.name()} " if self.random.random() < 0.5 else ""
        return f"what did {person}{self.words(4, 7)}"


def sizes(memories: int) -> Iterator[int]:
    """Memories of each account, the large one first."""
    draw = random.Random(2)
    left = memories
    while left > 0:
        size = min(left, LARGE if left == memories else draw.randint(50, 350))
        left -= size
        yield size


def account(writer: Writer, account_id: str, size: int) -> list[Record]:
    """The records of an account, or of a part of one."""
    in_turns = size // 2 // TURNS * TURNS
    episodes = [
        Episode(
            account_id,
            "call",
            writer.time(),
            tuple(Turn(writer.name(), writer.words(6, 20)) for _ in range(TURNS)),
        )
        for _ in range(in_turns // TURNS)
    ]
    memories = [
        Memory(account_id, "fact", writer.words(6, 20), writer.name(), occurred_at=writer.time())
        for _ in range(size - in_turns)
    ]
    return [*episodes, *memories]


def batches(writer: Writer, memories: int) -> Iterator[list[Record]]:
    """All of them, in batches of several accounts."""
    batch, held = list[Record](), 0
    for number, size in enumerate(sizes(memories), 1):
        for start in range(0, size, BATCH):
            count = min(BATCH, size - start)
            batch += account(writer, f"a{number}", count)
            held += count
            if held >= BATCH:
                yield batch
                batch, held = list[Record](), 0
    if batch:
        yield batch


async def fill(database: Database, memories: int) -> None:
    """Write them, and say how fast."""
    writer = Writer(3)
    seconds = processor = 0.0
    for batch in batches(writer, memories):
        started, used = time.perf_counter(), time.process_time()
        await database.write(write, "default", batch, NOW)
        seconds += time.perf_counter() - started
        processor += time.process_time() - used
    print(f"{memories} memories written at {memories / seconds:.0f}/s, {memories / processor:.0f}/s of processor time")


async def measure(home: Path, database_url: str | None, memories: int, questions: int) -> None:
    url = database_url or f"sqlite:///{home / 'memory.db'}"
    database = await Database.open(url, [KIT_MIGRATIONS, MIGRATIONS])
    await fill(database, memories)
    if database_url:
        await database.write(lambda conn: conn.execute(text("ANALYZE")))
    await database.close()
    accounts = sum(1 for _ in sizes(memories))
    asker = Writer(4)
    subjects: dict[str, tuple[Callable[[], str | None], int]] = {
        "a typical account": (lambda: f"a{asker.random.randint(2, max(2, accounts))}", questions),
        f"one with {min(memories, LARGE)}": (lambda: "a1", questions // 2),
        "all of them": (lambda: None, max(5, questions // 20)),
    }
    command = [str(BIN / "flotilla-memory"), "--home", str(home)]
    environment = {"FLOTILLA_MEMORY_DATABASE_URL": database_url} if database_url else {}
    async with over_stdio(command, home / "log", environment) as client:
        print(f"{'a search over MCP in':24}{'p50 ms':>8}{'p95 ms':>8}")
        for name, (account_id, count) in subjects.items():
            await timed(client, (_search(asker, account_id()) for _ in range(count // 4)))  # into the caches
            print(f"{name:24}{percentiles(await timed(client, (_search(asker, account_id()) for _ in range(count))))}")
        print(f"{resident(' '.join(command)) / 1e6:.0f} MB of memory")


def _search(asker: Writer, account_id: str | None) -> Call:
    arguments = {"query": asker.question()}
    if account_id is None:
        return "recall", arguments
    return "search_account_history", {**arguments, "account_id": account_id}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.retrieval.scale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--memories", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--database-url", help="of an empty PostgreSQL database; else SQLite")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.database_url, options.memories, options.questions))


if __name__ == "__main__":
    main()
