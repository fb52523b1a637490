"""The audit: one call, one record, in a chain that no one may change; written within the second, by any replica."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flotilla_kit import audit
from flotilla_kit.audit import Committer, Record
from flotilla_kit.errors import StoreUnavailable
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from pydantic import JsonValue
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError

LATER = 3600.0  # an interval that no test waits for: what is durable then was flushed


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = await Database.open(database_url, [KIT_MIGRATIONS])
    yield opened
    await opened.close()


@pytest.fixture
def elsewhere(database_url: str) -> Generator[Engine]:
    """Another client of the same database."""
    url = make_url(database_url)
    engine = create_engine(url if url.drivername == "sqlite" else url.set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
async def committer(database: Database) -> AsyncGenerator[Committer]:
    started = Committer(database, interval_s=LATER)
    await started.start()
    yield started
    await started.close(within_s=0)


def call(tool: str = "get_invoice") -> Record:
    return Record(tool, "worker", "researcher", run="run_1", arguments='{"invoice_id":"in_1"}', outcome="ok")


def exported(connection: Connection, after: int = 0) -> list[dict[str, JsonValue]]:
    return [*audit.export(connection, after)]


async def tools(database: Database) -> list[JsonValue]:
    return [row["tool"] for row in await database.read(exported)]


async def assert_sound(database: Database, records: int) -> None:
    verdict = await database.read(audit.verify)
    assert (verdict.problems, verdict.records) == ((), records)


@contextmanager
def away(engine: Engine) -> Generator[None]:
    """The audit cannot be written meanwhile."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_head RENAME TO away"))
    yield
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO audit_head"))


async def test_an_empty_audit_is_sound(database: Database) -> None:
    assert await database.read(audit.verify) == audit.Verdict(True, 0, 0, "0" * 64, ())


async def test_a_records_hash_can_be_computed_by_anyone(database: Database) -> None:
    await database.write(audit.append, [call("één"), call("two")])
    first, second = await database.read(exported)
    assert (first["seq"], first["previous_hash"], second["previous_hash"]) == (1, "0" * 64, first["hash"])
    names = ["previous_hash", "seq", "at", "call_id", "tool", "principal", "subject", "run", "token_id", "tool_use_id"]
    names += ["arguments_digest", "arguments", "outcome", "duration_us", "count"]
    for row in (first, second):
        array = json.dumps([row[name] for name in names], ensure_ascii=False, separators=(",", ":"))
        assert row["hash"] == hashlib.sha256(array.encode()).hexdigest()
    assert await database.read(audit.head) == audit.Head(2, str(second["hash"]))


async def test_the_database_refuses_to_change_a_record(database: Database, elsewhere: Engine) -> None:
    await database.write(audit.append, [call()])
    columns = ", ".join(list((await database.read(exported))[0])[1:])
    changes = {
        "sqlite": [
            "INSERT OR REPLACE INTO audit SELECT * FROM audit",
            f"INSERT OR REPLACE INTO audit (seq, {columns}) SELECT 9, {columns} FROM audit",
        ],
        "postgresql": ["TRUNCATE audit"],
    }
    for change in ("UPDATE audit SET outcome = 'denied'", "DELETE FROM audit", *changes[elsewhere.dialect.name]):
        with pytest.raises(DBAPIError, match="audit is append-only"), elsewhere.begin() as connection:
            connection.execute(text(change))
    await assert_sound(database, 1)


async def test_a_call_has_one_record(database: Database) -> None:
    record = call()
    await database.write(audit.append, [record])
    with pytest.raises(IntegrityError):
        await database.write(audit.append, [call(), record])
    await assert_sound(database, 1)


async def test_a_mutations_record_is_not_written_twice(database: Database, committer: Committer) -> None:
    record = call("issue_refund")

    def mutate(connection: Connection) -> None:
        audit.append_in_effect(connection, record)
        audit.append_in_effect(connection, record)

    await database.write(mutate)
    committer.add(record)
    committer.add(call("get_refund"))
    await committer.flush()
    assert await tools(database) == ["issue_refund", "get_refund"]
    await assert_sound(database, 2)


async def test_a_mutation_that_failed_still_leaves_its_record(database: Database, committer: Committer) -> None:
    record = call("issue_refund")

    def fail(connection: Connection) -> None:
        audit.append_in_effect(connection, record)
        raise RuntimeError("after its record")

    with pytest.raises(RuntimeError):
        await database.write(fail)
    await assert_sound(database, 0)
    record.outcome = "internal_error"
    committer.add(record)
    await committer.flush()
    assert [row["outcome"] for row in await database.read(exported)] == ["internal_error"]


async def test_text_that_a_database_refuses_does_not_stop_the_audit(database: Database, committer: Committer) -> None:
    committer.add(call("nul\0 and \ud800 and ü"))
    await committer.flush()
    assert await tools(database) == ["nul\ufffd and ? and ü"]
    await assert_sound(database, 1)


async def test_an_export_is_verified_without_the_database(database: Database) -> None:
    await database.write(audit.append, [call() for _ in range(5)])
    lines = [json.dumps(row) for row in await database.read(exported)]
    anchors = [audit.Anchor("", 2, str(json.loads(lines[1])["hash"]))]
    assert audit.verify_export(lines, anchors).ok
    assert [json.dumps(row) for row in await database.read(exported, 2)] == lines[2:]
    assert audit.verify_export(lines[2:], after=2).ok
    assert audit.verify_export(lines[2:], anchors, after=2).ok
    forged = [audit.Anchor("", 2, "f" * 64)]
    for bad in (
        audit.verify_export(lines[1:]),
        audit.verify_export([*lines[:2], *lines[3:]]),
        audit.verify_export([lines[0].replace("get_", "set_"), *lines[1:]]),
        audit.verify_export(lines[:1], anchors),
        audit.verify_export(lines[2:], forged, after=2),
    ):
        assert not bad.ok
    with pytest.raises(ValueError, match="not a record"):
        audit.verify_export([lines[0].replace("{", '{"note": "approved", ', 1)])


async def test_what_is_added_becomes_durable_by_itself(database: Database) -> None:
    committer = Committer(database, interval_s=0.01)
    await committer.start()
    for n in range(3):
        committer.add(call())
        async with asyncio.timeout(20):
            while len(await tools(database)) <= n:  # noqa: ASYNC110  nothing tells when
                await asyncio.sleep(0.005)
    await committer.close()
    await assert_sound(database, 3)


async def test_a_flush_waits_until_all_before_it_is_durable(database: Database, committer: Committer) -> None:
    await committer.flush()
    names = [f"tool_{n}" for n in range(2500)]
    for name in names:
        committer.add(call(name))
    assert await tools(database) == []
    await asyncio.gather(committer.flush(), committer.flush())
    assert await tools(database) == names
    await assert_sound(database, 2500)


async def test_what_is_added_during_a_write_goes_into_the_next_group(
    database: Database, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        write = database.write

        async def busy(*arguments: object) -> object:
            committer.add(call("next"))
            patched.undo()
            return await write(*arguments)  # pyright: ignore  # whatever the committer passes

        patched.setattr(database, "write", busy)
        committer.add(call())
        await committer.flush()
    assert await tools(database) == ["get_invoice"]
    await committer.flush()
    assert await tools(database) == ["get_invoice", "next"]


async def test_close_writes_what_waits_and_then_takes_no_more(database: Database) -> None:
    committer = Committer(database, interval_s=LATER)
    committer.add(call())
    await committer.start()
    committer.add(call())
    await committer.close()
    await assert_sound(database, 2)
    with pytest.raises(StoreUnavailable):
        committer.add(call())


async def test_calls_are_refused_when_too_many_records_wait(database: Database) -> None:
    committer = Committer(database, interval_s=LATER, most=3)
    await committer.start()
    for _ in range(3):
        committer.check()
        committer.add(call())
    for refused in (committer.check, lambda: committer.add(call("refused"))):
        with pytest.raises(StoreUnavailable, match="calls are refused"):
            refused()
    await committer.flush()
    committer.add(call("taken again"))
    await committer.close()
    assert await tools(database) == ["get_invoice"] * 3 + ["taken again"]


async def test_an_outage_loses_no_record_and_is_logged_once(
    database: Database, elsewhere: Engine, committer: Committer, caplog: pytest.LogCaptureFixture
) -> None:
    with away(elsewhere):
        for _ in range(3):
            committer.add(call())
            with pytest.raises(StoreUnavailable):
                await committer.flush()
    await committer.flush()
    await assert_sound(database, 3)
    said = [record.getMessage() for record in caplog.records if record.name == Committer.__module__]
    assert said == ["audit cannot be written; trying again", "audit is written again"]


async def test_a_commit_whose_answer_is_lost_is_not_repeated(
    database: Database, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        write = database.write

        async def deaf(*arguments: object) -> None:
            await write(*arguments)  # pyright: ignore  # whatever the committer passes
            raise StoreUnavailable("The connection broke after the commit.")

        patched.setattr(database, "write", deaf)
        committer.add(call())
        with pytest.raises(StoreUnavailable):
            await committer.flush()
    await committer.flush()
    await assert_sound(database, 1)


async def test_close_gives_up_on_a_store_that_is_away_and_counts_the_loss(
    database: Database, elsewhere: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    committer = Committer(database, interval_s=LATER)
    await committer.start()
    committer.add(call())
    committer.add(call())
    with away(elsewhere):
        await committer.close(within_s=0.1)
    assert [vars(r)["records"] for r in caplog.records if r.getMessage().startswith("audit records lost")] == [2]


async def test_close_gives_up_on_a_store_that_hangs(database: Database, elsewhere: Engine) -> None:
    committer = Committer(database, interval_s=LATER)
    await committer.start()
    committer.add(call())
    with elsewhere.begin() as connection:
        connection.execute(text("UPDATE audit_head SET seq = seq"))
        flushing = asyncio.create_task(committer.flush())
        await committer.close(within_s=0.1)
        with pytest.raises(StoreUnavailable):
            await flushing


async def test_replicas_append_to_one_chain(database: Database, database_url: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from flotilla_kit import audit\n"
        "from flotilla_kit.storage import KIT_MIGRATIONS, Database\n"
        "async def main():\n"
        "    database = await Database.open(sys.argv[1], [KIT_MIGRATIONS])\n"
        "    committer = audit.Committer(database, interval_s=0.001)\n"
        "    await committer.start()\n"
        "    for _ in range(40):\n"
        "        record = audit.Record('issue_refund', 'worker', sys.argv[2])\n"
        "        await database.write(audit.append_in_effect, record)\n"
        "        for added in (record, audit.Record('get_refund', 'worker', sys.argv[2])):\n"
        "            committer.add(added)\n"
        "    await committer.close()\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, database_url, f"replica_{n}", stderr=subprocess.PIPE
        )
        for n in range(3)
    ]
    for process in running:
        _, said = await process.communicate()
        assert process.returncode == 0, said
    await assert_sound(database, 3 * 80)
    subjects = [row["subject"] for row in await database.read(exported)]
    assert [subjects.count(f"replica_{n}") for n in range(3)] == [80] * 3


async def test_the_head_is_anchored_after_a_flush_and_at_the_close(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "anchors.jsonl"
    committer = Committer(database, anchor=path, interval_s=LATER)
    await committer.start()
    for _ in range(3):
        committer.add(call())
        await committer.flush()
    await committer.close()
    anchors = audit.read_anchors(path)
    assert [anchor.seq for anchor in anchors] == [1, 3]  # once a minute at most
    assert await database.read(audit.verify, anchors) == await database.read(audit.verify)
    assert anchors[-1].hash == (await database.read(audit.head)).hash


async def test_an_anchor_that_cannot_be_written_does_not_stop_the_audit(database: Database, tmp_path: Path) -> None:
    committer = Committer(database, anchor=tmp_path, interval_s=LATER)
    await committer.start()
    committer.add(call())
    await committer.close()
    await assert_sound(database, 1)


def test_an_anchor_line_cut_short_by_a_crash_is_ignored_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    assert audit.read_anchors(path) == []
    audit.write_anchor(path, audit.Head(1, "a" * 64))
    line = path.read_text()
    path.write_text(line + line[:30])
    assert [anchor.seq for anchor in audit.read_anchors(path)] == [1]
    audit.write_anchor(path, audit.Head(2, "b" * 64))
    assert [anchor.seq for anchor in audit.read_anchors(path)] == [1, 2]
    path.write_text(line + line.strip())  # only the line's end is missing
    audit.write_anchor(path, audit.Head(2, "b" * 64))
    assert [anchor.seq for anchor in audit.read_anchors(path)] == [1, 1, 2]


@pytest.mark.parametrize("bad", ["nonsense", "{}", '{"at": "", "seq": "1", "hash": ""}', "", "[1]", "\udcff"])
def test_a_bad_anchor_line_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "anchors.jsonl"
    audit.write_anchor(path, audit.Head(1, "a" * 64))
    line = path.read_bytes()
    path.write_bytes(line + bad.encode(errors="surrogateescape") + b"\n" + line)
    with pytest.raises(ValueError, match="line 2"):
        audit.read_anchors(path)


def test_a_program_that_only_verifies_does_not_load_the_mcp_library() -> None:
    code = "import sys, flotilla_kit.audit; sys.exit('fastmcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
