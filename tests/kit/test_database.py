"""One code path to SQLite and PostgreSQL."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flotilla_kit import effects
from flotilla_kit.effects import Effect
from flotilla_kit.errors import IdempotencyMismatch, InvalidArguments, StoreUnavailable
from flotilla_kit.storage import KIT_MIGRATIONS, Database, PreparedSelect
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

EFFECT = Effect("owner", "", "issue_refund", "key", effects.digest({"amount_minor": 1}), mode="cleared")
# Four processes that start within a few milliseconds, as what they need is imported before.
OPEN_TOGETHER = """
import asyncio, os, sys
from flotilla_kit.storage import KIT_MIGRATIONS, Database

children = []
for _ in range(4):
    children.append(os.fork())
    if not children[-1]:
        asyncio.run(Database.open(sys.argv[1], [KIT_MIGRATIONS]))
        sys.exit()
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = await Database.open(database_url, [KIT_MIGRATIONS])
    yield opened
    await opened.close()


def count(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM effects")).scalar_one()


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        effects.record(connection, EFFECT, {})
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    assert await database.read(count) == 0


async def test_writes_at_the_same_time_happen_each_by_itself(database: Database) -> None:
    def write(connection: Connection, number: int) -> int:
        effects.record(connection, replace(EFFECT, key=f"key {number}"), {})
        if number % 2:
            raise RuntimeError(str(number))
        return number

    done = await asyncio.gather(*(database.write(write, number) for number in range(40)), return_exceptions=True)
    assert [repr(one) for one in done] == [repr(RuntimeError(str(n)) if n % 2 else n) for n in range(40)]
    assert await database.read(count) == 20


async def test_writes_that_wait_for_the_writer_of_a_file_share_a_commit(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'store.db'}", [KIT_MIGRATIONS])
    begun, free, transactions = threading.Event(), threading.Event(), list[object]()

    def hold(_: Connection) -> None:
        begun.set()
        free.wait()

    def write(connection: Connection, number: int) -> None:
        effects.record(connection, replace(EFFECT, key=f"key {number}"), {})
        transactions.append(connection.get_transaction())

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(begun.wait)
    waiting = [asyncio.create_task(database.write(write, number)) for number in range(10)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(holding, *waiting, return_exceptions=True)
    assert len(transactions) == 9 and len(set(transactions)) == 1
    assert await database.read(count) == 9, "what was cancelled before it began has not happened"
    await database.close()


async def test_a_read_cannot_write(database: Database, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        await database.close()
        database = await Database.open(database_url, [KIT_MIGRATIONS], read_only=True)
    with pytest.raises((DBAPIError, StoreUnavailable)):
        await database.read(effects.record, EFFECT, {})
    assert await database.read(count) == 0


async def test_a_read_sees_one_moment(database: Database, database_url: str) -> None:
    url = make_url(database_url)
    elsewhere = create_engine(url if url.drivername == "sqlite" else url.set(drivername="postgresql+psycopg"))

    def count_around_a_write(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        with elsewhere.begin() as other:
            effects.record(other, EFFECT, {})
        return before, count(connection)

    assert await database.read(count_around_a_write) == (0, 0)
    assert await database.read(count) == 1
    elsewhere.dispose()


async def test_a_prepared_select_answers_what_its_statement_does_in_reads_and_in_writes(database: Database) -> None:
    table = Table("effects", MetaData(), Column("key", Text), Column("tool", Text))
    of_tool = select(table).where(table.c.tool == bindparam("tool"), table.c.key != "other").limit(bindparam("limit"))
    prepared = PreparedSelect(of_tool)
    asked = {"tool": "issue_refund", "limit": 5}

    def read(connection: Connection) -> bool:
        rows = prepared.all(connection, asked)
        first = prepared.first(connection, asked)
        assert first is None or (first.key, first.tool) == ("key", "issue_refund")
        assert rows == connection.execute(of_tool, asked).all() == ([first] if first else [])
        return bool(rows)

    def write_and_read(connection: Connection) -> bool:
        effects.record(connection, EFFECT, {})
        return read(connection)

    assert not await database.read(read)
    assert await database.write(write_and_read)
    assert await database.read(read)


def test_a_prepared_select_takes_no_column_that_sqlite_keeps_otherwise() -> None:
    with pytest.raises(TypeError, match="settled"):
        PreparedSelect(select(Table("charges", MetaData(), Column("settled", Boolean))))


async def test_a_pool_in_which_no_connection_gets_free_is_a_store_that_does_not_answer(database: Database) -> None:
    def busy(_: Connection) -> None:
        raise NoConnectionFree("QueuePool limit reached")

    for use in (database.read, database.write):
        with pytest.raises(StoreUnavailable) as refused:
            await use(busy)
        assert refused.value.retryable


async def test_a_prepared_select_says_when_the_store_does_not_answer(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/store.db", [KIT_MIGRATIONS])
    prepared = PreparedSelect(select(Table("none_such", MetaData(), Column("key", Text))))
    with pytest.raises(StoreUnavailable):
        await database.read(lambda connection: prepared.all(connection, {}))
    await database.close()


async def test_a_recorded_effect_answers_itself_and_refuses_other_arguments(database: Database) -> None:
    await database.write(effects.record, EFFECT, {"refund_id": "rf_1"})
    assert await database.read(effects.recorded, EFFECT) == {"refund_id": "rf_1"}
    other = Effect("owner", "", "issue_refund", "key", effects.digest({"amount_minor": 2}))
    with pytest.raises(IdempotencyMismatch):
        await database.read(effects.recorded, other)
    for elsewhere in (
        Effect("worker", "", "issue_refund", "key", EFFECT.digest),
        Effect("owner", "run", "issue_refund", "key", EFFECT.digest),
        Effect("owner", "", "other_tool", "key", EFFECT.digest),
    ):
        assert await database.read(effects.recorded, elsewhere) is None


async def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    starting = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN_TOGETHER, database_url, stderr=subprocess.PIPE
    )
    _, said = await starting.communicate()
    assert starting.returncode == 0, said
    database = await Database.open(database_url, [KIT_MIGRATIONS], read_only=True)
    assert await database.read(count) == 0
    await database.close()


async def test_reading_a_store_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'none.db'}", [KIT_MIGRATIONS], read_only=True)
    assert await database.read(count) == 0
    await database.close()
    assert not [*tmp_path.iterdir()]  # noqa: ASYNC240  nothing else runs


async def test_a_read_only_store_that_needs_a_migration_says_so(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE something (x)")
    with pytest.raises(StoreUnavailable, match="needs a migration"):
        await Database.open(f"sqlite:///{path}", [KIT_MIGRATIONS], read_only=True)


async def test_a_database_that_is_away_is_said_without_its_address(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as away:
        await Database.open(f"postgresql://user:secret@/x?host={tmp_path}", [KIT_MIGRATIONS])
    assert "secret" not in str(away.value)


class Socket:
    """The way to a PostgreSQL that can be shut, and ends the connections that lead through it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, parsed = url, make_url(url)
        self._real, self._link = (Path(str(at)) / ".s.PGSQL.5432" for at in (parsed.query["host"], folder))
        self.url = parsed.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        self.open()

    def open(self) -> None:
        self._link.symlink_to(self._real)

    def shut(self) -> None:
        self._link.unlink()
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"{others} AND pid <> {connection.info.backend_pid}".encode())


async def test_transactions_wait_while_postgresql_is_being_restarted(postgres_url: str, tmp_path: Path) -> None:
    socket = Socket(postgres_url, tmp_path)
    database = await Database.open(socket.url, [KIT_MIGRATIONS])
    socket.shut()
    with pytest.raises(StoreUnavailable):
        await database.ping()
    writing = asyncio.ensure_future(database.write(effects.record, EFFECT, {}))
    reading = asyncio.ensure_future(database.read(count))
    assert not (await asyncio.wait([writing, reading], timeout=0.6))[0]
    socket.open()
    async with asyncio.timeout(30):
        await writing
        await reading
    assert await database.read(count) == 1
    await database.close()


async def test_a_postgresql_that_stays_away_is_said_after_a_while(postgres_url: str, tmp_path: Path) -> None:
    socket = Socket(postgres_url, tmp_path)
    database = await Database.open(socket.url, [KIT_MIGRATIONS], restart_s=0.3)
    socket.shut()
    for use in (database.read, database.write):
        with pytest.raises(StoreUnavailable) as away:
            await use(count)
        assert away.value.retryable
    await database.close()


def test_arguments_without_a_canonical_form_have_no_digest() -> None:
    for value in ("\ud800", 2**60):
        with pytest.raises(InvalidArguments):
            effects.digest({"value": value})
