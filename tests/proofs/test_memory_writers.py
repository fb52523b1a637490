"""Four processes remember at once and two are killed: what was acknowledged is there, whole, once, and found."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from flotilla_memory.retrieval import words
from flotilla_memory.retrieval.search import Query
from flotilla_memory.schema import accounts, memories, passages, postings
from flotilla_memory.settings import Settings
from flotilla_memory.sql_store import SqlMemoryStore
from flotilla_memory.store import Caller
from sqlalchemy import Connection, func, select
from support.memory_writer import account_of, text_of
from support.proofs import FULL, draw

TESTS = Path(__file__).parent.parent
EACH = 2_000 if FULL else 60
SURVIVORS, VICTIMS = ("anna", "ben"), ("cleo", "dan")
PATIENCE_S = 600


async def prepare(home: Path, database_url: str) -> SqlMemoryStore:
    store = SqlMemoryStore(Settings.load({"home": home, "database_url": database_url}))
    await store.open()
    return store


async def write(database_url: str, home: Path, deaths: Mapping[str, int | None]) -> set[tuple[str, int]]:
    """Who acknowledged which number; of these processes each is killed once it has said so many, or ends by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.memory_writer", database_url, str(home), str(EACH), *deaths),
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said, pids, ends = set[tuple[str, int]](), dict[str, int](), dict[str, int]()
    while line := (await process.stdout.readline()).decode():
        name, what, number = line.split()
        if what == "pid":
            pids[name] = int(number)
        elif what == "ended":
            ends[name] = int(number)
        else:
            said.add((name, int(number)))
            if sum(who == name for who, _ in said) == deaths[name]:
                os.kill(pids[name], signal.SIGKILL)
    await process.wait()
    assert ends == {name: 0 if after is None else -signal.SIGKILL for name, after in deaths.items()}
    return said


def stored(conn: Connection) -> list[tuple[str, str, int, int]]:
    """Account, text, terms and terms in the index of every memory."""
    of_each = select(func.sum(postings.c.count)).where(postings.c.passage_key == passages.c.passage_key)
    found = (
        select(accounts.c.account_id, passages.c.text, passages.c.terms, of_each.scalar_subquery())
        .join(accounts, accounts.c.account_key == passages.c.account_key)
        .join(memories, memories.c.passage_key == passages.c.passage_key)
    )
    return [
        (str(account), str(text), int(terms), int(indexed)) for account, text, terms, indexed in conn.execute(found)
    ]


def counted(conn: Connection) -> tuple[int, int]:
    """Passages and terms as the accounts say."""
    a = accounts.c
    passages_in_all, terms = conn.execute(select(func.sum(a.passages), func.sum(a.terms))).one()
    return int(passages_in_all), int(terms)


@pytest.mark.prove
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"] if FULL else ["sqlite"], indirect=True)
async def test_of_what_was_acknowledged_nothing_is_lost(database_url: str, tmp_path: Path) -> None:
    random = draw(f"memory writers {database_url.split(':')[0]}")
    store = await prepare(tmp_path, database_url)
    try:
        deaths = {name: random.randrange(1, EACH) for name in VICTIMS} | dict.fromkeys(SURVIVORS)
        async with asyncio.timeout(PATIENCE_S):
            said = await write(database_url, tmp_path, deaths)
        rows = await store.database.read(stored)
        texts = [text for _, text, _, _ in rows]
        acknowledged = {(account_of(number), text_of(name, number)) for name, number in said}
        assert len(acknowledged) >= 2 * EACH + len(VICTIMS)
        assert acknowledged <= {(account, text) for account, text, _, _ in rows} and len(texts) == len(set(texts))
        assert all(terms == indexed == len(words.terms(_as_indexed(text))) for _, text, terms, indexed in rows)
        assert await store.database.read(counted) == (len(rows), sum(terms for _, _, terms, _ in rows))
        for account, text in random.sample(sorted(acknowledged), 20):
            page = await store.search(Caller(), account, Query(text), 20, None, 20_000)
            assert text in [hit.text for hit in page.items]
    finally:
        await store.close()


def _as_indexed(text: str) -> str:
    """With its subject, as the writer gives it."""
    name, _, number = text.partition(" says number ")
    return f"{name} {int(number) % 7}: {text}"
