"""`python -m benchmarks.retrieval.scale`: inserts and searches in a store of many memories, 200 an account on average.

One account has 12,000. Words are drawn as natural text draws them, a few often and most seldom; a question has four to
seven of them, and half of the questions name a person.
"""

import argparse
import asyncio
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median, quantiles

from flotilla_kit.storage import Database
from flotilla_memory import schema
from flotilla_memory.retrieval import index
from flotilla_memory.retrieval.search import Query, search
from sqlalchemy import Connection, insert, text

NOW = "2026-06-01T00:00:00.000Z"
LARGE = 12_000
WORDS = 20_000
BATCH = 1_000
TURNS = 20  # of an episode; half of an account's passages are turns, half are memories
NAMES = ("Dana", "Omar", "Priya", "Lena", "Marc", "Tomas", "Aisha", "Ruth")


class Writer:
    """Text without end, the same in every run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        syllables = [a + b for a in "bcdfghklmnprstvw" for b in "aeiou"]
        spelling = random.Random(1)
        self._words = ["".join(spelling.choices(syllables, k=spelling.choice((2, 3, 3, 4)))) for _ in range(WORDS)]
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(WORDS)))

    def words(self, fewest: int, most: int) -> str:
        count = self.random.randint(fewest, most)
        return " ".join(self.random.choices(self._words, cum_weights=self._weights, k=count))

    def name(self) -> str:
        return self.random.choice(NAMES)

    def time(self) -> str:
        draw = self.random.randint
        return f"{draw(2024, 2025)}-{draw(1, 12):02}-{draw(1, 28):02}T09:00:00.000Z"

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


def create(conn: Connection) -> None:
    schema.metadata.create_all(conn)


def write(conn: Connection, writer: Writer, account_key: int, size: int, first: int) -> None:
    """Write one account."""
    account = {"account_key": account_key, "tenant_id": "default", "account_id": f"a{account_key}"}
    conn.execute(insert(schema.accounts), account)
    for start in range(0, size, BATCH):
        _write_batch(conn, writer, account_key, range(first + start, first + min(size, start + BATCH)))


def _write_batch(conn: Connection, writer: Writer, account_key: int, keys: range) -> None:
    of = {"account_key": account_key, "content_hash": "0" * 32, "recorded_at": NOW}
    episodes: list[dict[str, object]] = []
    rows: list[dict[str, object]] = []
    memories: list[dict[str, object]] = []
    indexed: list[index.Indexed] = []
    for place, key in enumerate(keys):
        name, said, at = writer.name(), writer.words(6, 20), writer.time()
        row = {"passage_key": key, "passage_id": f"m{key}", "account_key": account_key, "speaker": name, "text": said}
        terms = index.count_terms(name, said).total()
        position = place % TURNS + 1
        if place < len(keys) // 2:
            if position == 1:
                episode = {"episode_key": key, "episode_id": f"e{key}", "channel": "call", "occurred_at": at}
                episodes.append({**of, **episode})
            where = {"kind": "turn", "episode_key": episodes[-1]["episode_key"], "position": position}
            rows.append({**row, **where, "occurred_at": episodes[-1]["occurred_at"], "terms": terms})
        else:
            where = {"kind": "fact", "episode_key": None, "position": None}
            rows.append({**row, **where, "occurred_at": at, "terms": terms})
            memories.append({**of, "passage_key": key})
        indexed.append(index.Indexed(key, said, name))
    for table, values in ((schema.episodes, episodes), (schema.passages, rows), (schema.memories, memories)):
        if values:
            conn.execute(insert(table), values)
    index.add(conn, account_key, indexed)


async def measure(url: str, memories: int, questions: int) -> None:
    database = await Database.open(url, [])
    await database.write(create)
    writer = Writer(3)
    started = time.perf_counter()
    first = 1
    accounts = 0
    for account_key, size in enumerate(sizes(memories), 1):
        await database.write(write, writer, account_key, size, first)
        first += size
        accounts = account_key
    seconds = time.perf_counter() - started
    if url.startswith("postgresql"):
        await database.write(lambda conn: conn.execute(text("ANALYZE")))
    print(f"{memories} memories in {accounts} accounts, {memories / seconds:.0f}/s")
    asker = Writer(4)
    await _search(database, asker, lambda: (asker.random.randint(2, accounts),), 50)
    subjects: dict[str, tuple[Callable[[], Sequence[int] | None], int]] = {
        "a typical account": (lambda: (asker.random.randint(2, accounts),), questions),
        f"one with {min(memories, LARGE)}": (lambda: (1,), questions // 2),
        "all of them": (lambda: None, max(5, questions // 20)),
    }
    print(f"{'search in':24}{'p50 ms':>8}{'p95 ms':>8}")
    for name, (account_keys, count) in subjects.items():
        taken = await _search(database, asker, account_keys, count)
        print(f"{name:24}{median(taken) * 1e3:>8.1f}{quantiles(taken, n=20)[-1] * 1e3:>8.1f}")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB of memory")
    await database.close()


async def _search(
    database: Database, asker: Writer, account_keys: Callable[[], Sequence[int] | None], count: int
) -> list[float]:
    taken: list[float] = []
    for _ in range(count):
        query = Query(asker.question(), "default", account_keys())
        started = time.perf_counter()
        await database.read(search, query, NOW)
        taken.append(time.perf_counter() - started)
    return taken


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.retrieval.scale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--memories", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--database-url", help="of an empty PostgreSQL database; else SQLite")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = options.database_url or f"sqlite:///{Path(folder) / 'store.db'}"
        asyncio.run(measure(url, options.memories, options.questions))


if __name__ == "__main__":
    main()
