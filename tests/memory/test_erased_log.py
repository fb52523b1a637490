"""An erasure says whether the files still have what it erased, and what is left is done later."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from support.memory_client import Memory

TESTS = Path(__file__).parent.parent
CANARY = "xq700zvk"


@pytest.fixture
async def memory(tmp_path: Path) -> AsyncGenerator[Memory]:
    settings = Settings.load({"home": tmp_path})
    async with Client(create_server(settings)) as client:
        yield Memory(client, settings)


@contextmanager
def reading(home: Path) -> Generator[None]:
    """Another process's view of the store, as it is now."""
    with closing(sqlite3.connect(home / "memory.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM passages").fetchone()
        yield


def is_in_files(home: Path) -> bool:
    files = [path for path in home.rglob("*") if path.is_file()]
    return any(CANARY.encode() in path.read_bytes() for path in files)


async def test_an_erasure_that_nobody_holds_up_leaves_nothing_in_the_files(memory: Memory) -> None:
    fact = await memory.fact(f"The word is {CANARY}")
    assert "log_emptied" not in await memory.forget(fact, "erase", dry_run=True)
    assert (await memory.forget(fact, "erase"))["log_emptied"] is True
    assert not is_in_files(memory.settings.home)


async def test_while_another_process_reads_an_erasure_says_that_bytes_are_left(memory: Memory) -> None:
    fact = await memory.fact(f"The word is {CANARY}")
    with reading(memory.settings.home):
        done = await memory.forget(fact, "erase")
        assert (done["log_emptied"], done["memories"]) == (False, 1)
        assert await memory.texts("word") == [] and is_in_files(memory.settings.home)
        await memory.fact("Something else")  # nobody waits for the reader again
        assert is_in_files(memory.settings.home)
    await memory.fact("And more")
    assert not is_in_files(memory.settings.home)


async def test_the_same_erasure_again_says_that_the_bytes_are_gone_once_they_are(memory: Memory) -> None:
    await memory.fact(f"The word is {CANARY}")
    said = {"target": "account", "mode": "erase", "idempotency_key": "again"}
    with reading(memory.settings.home):
        assert (await memory.forget(**said))["log_emptied"] is False
    assert (await memory.forget(**said))["log_emptied"] is True
    assert not is_in_files(memory.settings.home)


async def test_what_a_killed_server_erased_is_gone_once_it_starts_again(tmp_path: Path) -> None:
    worker = (sys.executable, "-m", "support.erasing_worker", tmp_path, f"The word is {CANARY}")
    killed = await asyncio.create_subprocess_exec(*worker, cwd=TESTS)
    assert await killed.wait() == -signal.SIGKILL
    assert is_in_files(tmp_path)
    settings = Settings.load({"home": tmp_path})
    async with Client(create_server(settings)) as client:
        assert not is_in_files(tmp_path)
        assert await Memory(client, settings).texts("word") == []
