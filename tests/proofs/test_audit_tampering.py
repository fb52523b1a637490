"""An attacker who has the database and has dropped its triggers: whatever was done to the audit is found."""

import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from flotilla_kit import audit
from flotilla_kit.audit import Anchor, Record, Verdict
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from sqlalchemy import Connection, text
from support.proofs import FULL, draw, share

LENGTH = 200
Tampering = Callable[[Connection], object]


def call(n: int) -> Record:
    return Record(
        tool=("find_transactions", "issue_refund", "get_customer_billing")[n % 3],
        principal="worker",
        subject="researcher",
        run=f"run_{n // 40}",
        token_id=f"jti_{n // 40:032}",
        tool_use_id=f"toolu_{n:024}",
        arguments_digest=f"{n:064x}",
        arguments=f'{{"customer_id":"cust_{n}","amount_minor":{n},"reason":"<redacted>"}}',
        outcome="denied" if n % 7 == 0 else "ok",
        duration_us=1000 + n,
    )


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = await Database.open(database_url, [KIT_MIGRATIONS])
    await opened.write(audit.append, [call(n) for n in range(LENGTH)])
    yield opened
    await opened.close()


def disarm(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        for name in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
            connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))


def sql(statement: str, **values: object) -> Tampering:
    return lambda connection: connection.execute(text(statement), values)


def each(*tamperings: Tampering) -> Tampering:
    return lambda connection: [tampering(connection) for tampering in tamperings]


async def verdicts(
    database: Database, tamperings: Sequence[Tampering], anchors: Sequence[Anchor] = ()
) -> list[Verdict]:
    """What verifying says to each tampering alone: one is undone before the next."""

    def attack(connection: Connection) -> list[Verdict]:
        found: list[Verdict] = []
        for tampering in tamperings:
            with connection.begin_nested() as moment:
                disarm(connection)
                tampering(connection)
                found.append(audit.verify(connection, anchors))
                moment.rollback()
        assert audit.verify(connection, anchors).ok
        return found

    return await database.write(attack)


async def found(database: Database, tampering: Tampering, anchors: Sequence[Anchor] = ()) -> str:
    """The problems that verifying names."""
    (verdict,) = await verdicts(database, [tampering], anchors)
    assert verdict.ok is not bool(verdict.problems)
    return "\n".join(verdict.problems)


def rewrite(connection: Connection, keep: int, then: Sequence[Record]) -> None:
    """Cut the chain after `keep` records, head row included, and go on consistently: what a knowing attacker does."""
    last = [*audit.export(connection)][keep - 1]["hash"] if keep else audit.GENESIS
    sql("DELETE FROM audit WHERE seq > :keep", keep=keep)(connection)
    sql("UPDATE audit_head SET seq = :keep, hash = :last", keep=keep, last=last)(connection)
    audit.append(connection, then)


async def anchor(database: Database) -> Anchor:
    head = await database.read(audit.head)
    return Anchor("2026-11-21T00:00:00.000+00:00", head.seq, head.hash)


@pytest.mark.parametrize("seq", [1, 77, LENGTH])
async def test_a_change_of_any_column_is_found(database: Database, seq: int) -> None:
    (row,) = [row for row in await database.read(lambda c: [*audit.export(c)]) if row["seq"] == seq]
    for name, value in row.items():
        forged = [value + 1000, -value] if isinstance(value, int) else ["", f"{value} ", str(value)[1:] + "x"]
        for new in forged:
            problems = await found(database, sql(f"UPDATE audit SET {name} = :new WHERE seq = :seq", new=new, seq=seq))
            assert f"record {new if name == 'seq' else seq}:" in problems, (name, new)


@pytest.mark.parametrize("seq", [1, 2, 77, LENGTH - 1, LENGTH])
async def test_a_deleted_record_is_found(database: Database, seq: int) -> None:
    problems = await found(database, sql("DELETE FROM audit WHERE seq = :seq", seq=seq))
    assert f"record {seq - 1 if seq == LENGTH else seq + 1}:" in problems


async def test_a_deleted_record_whose_followers_move_up_is_found(database: Database) -> None:
    cut = sql("DELETE FROM audit WHERE seq = 50")
    move = [sql("UPDATE audit SET seq = :to WHERE seq = :seq", seq=seq, to=seq - 1) for seq in range(51, LENGTH + 1)]
    assert "record 50: it does not follow" in await found(database, each(cut, *move))


async def test_numbers_left_out_of_a_chain_that_hashes_well_are_found(database: Database) -> None:
    def skip(connection: Connection) -> None:
        sql("UPDATE audit_head SET seq = seq + 5")(connection)
        audit.append(connection, [call(LENGTH)])

    assert "record 206: 201 was expected here" in await found(database, skip)


async def test_swapped_records_are_found(database: Database) -> None:
    swap = [sql("UPDATE audit SET seq = :to WHERE seq = :seq", seq=a, to=b) for a, b in ((9, 0), (10, 9), (0, 10))]
    problems = await found(database, each(*swap))
    assert "record 9: it does not follow" in problems
    assert "record 10: its contents" in problems


@pytest.mark.parametrize("keep", [0, 1, LENGTH - 1])
async def test_a_chain_cut_short_is_found(database: Database, keep: int) -> None:
    problems = await found(database, sql("DELETE FROM audit WHERE seq > :keep", keep=keep))
    assert problems.startswith(f"record {keep}: the chain ends here, but its head row says {LENGTH}")


async def test_a_head_row_that_is_gone_or_moved_is_found(database: Database) -> None:
    assert "the head row is missing" in await found(database, sql("DELETE FROM audit_head"))
    for change in ("seq = seq - 1", "hash = 'x'"):
        assert "its head row says" in await found(database, sql(f"UPDATE audit_head SET {change}"))


@pytest.mark.parametrize("keep", [0, 1, 76, LENGTH - 1])
async def test_a_chain_cut_short_with_its_head_is_found_by_an_anchor(database: Database, keep: int) -> None:
    def cut(connection: Connection) -> None:
        rewrite(connection, keep, [])

    assert await found(database, cut) == ""  # nothing inside the database can tell
    assert f"record {LENGTH}: an anchor noted it" in await found(database, cut, [await anchor(database)])


@pytest.mark.parametrize("keep", [0, 76, LENGTH - 1])
async def test_a_chain_rewritten_consistently_is_found_by_an_anchor(database: Database, keep: int) -> None:
    def forge(connection: Connection) -> None:
        rewrite(connection, keep, [call(n + 1) for n in range(keep, LENGTH + 5)])

    assert await found(database, forge) == ""
    assert f"record {LENGTH}: an anchor noted another hash" in await found(database, forge, [await anchor(database)])


async def test_what_was_written_after_the_last_anchor_is_what_an_attacker_can_rewrite(database: Database) -> None:
    noted = await anchor(database)
    await database.write(audit.append, [call(LENGTH), call(LENGTH + 1)])
    assert await found(database, lambda connection: rewrite(connection, LENGTH, []), [noted]) == ""


async def test_inserted_records_are_found(database: Database) -> None:
    columns = ", ".join([*(await database.read(lambda c: next(audit.export(c))))][3:])
    copy = f"INSERT INTO audit (seq, at, call_id, {columns}) SELECT :to, at, 'forged', {columns} FROM audit"
    for to in (-5, 0, LENGTH + 1, 2**62):
        problems = await found(database, sql(f"{copy} WHERE seq = 20", to=to))
        assert f"record {to}: " in problems

    def well_chained(connection: Connection) -> None:
        audit.append(connection, [call(LENGTH)])
        sql("UPDATE audit_head SET seq = 200, hash = (SELECT hash FROM audit WHERE seq = 200)")(connection)

    assert "record 201: the chain ends here" in await found(database, well_chained)


async def test_a_record_doubled_in_a_table_without_keys_is_found(database: Database) -> None:
    await database.write(audit.append, [call(n) for n in range(LENGTH, 10_000)])  # verifying reads 10,000 at a time

    def unkeyed(connection: Connection) -> None:
        for statement in (
            "CREATE TABLE forged AS SELECT * FROM audit",
            "DROP TABLE audit",
            "ALTER TABLE forged RENAME TO audit",
        ):
            connection.execute(text(statement))

    for doubled in (1, 5_000, 10_000):
        double = sql("INSERT INTO audit SELECT * FROM audit WHERE seq = :seq", seq=doubled)
        assert await found(database, each(unkeyed, double)), doubled
    numberless = sql("UPDATE audit SET seq = NULL WHERE seq IN (100, 10000)")
    assert await found(database, each(unkeyed, numberless))


async def test_values_of_a_kind_that_no_record_has_are_found(database: Database) -> None:
    kinds = ["x'00ff'", "CAST(x'ff' AS TEXT)", "CAST(x'610062' AS TEXT)"]
    if "sqlite" not in await database.read(lambda connection: connection.dialect.name):
        kinds = ["E'\\u0001'"]  # PostgreSQL's columns hold text and nothing else
    for kind in kinds:
        assert "record 7: it" in await found(database, sql(f"UPDATE audit SET outcome = {kind} WHERE seq = 7"))


async def test_no_more_than_twenty_problems_are_told(database: Database) -> None:
    (verdict,) = await verdicts(database, [sql("UPDATE audit SET outcome = 'fine'")])
    assert (len(verdict.problems), verdict.records, verdict.head_seq) == (20, LENGTH, LENGTH)


def drawn(rng: random.Random, columns: Sequence[str]) -> Tampering:
    """Some way to falsify the chain."""
    a, b = rng.sample(range(1, LENGTH + 1), 2)
    forged: dict[str, Any] = {"seq": a, "to": b, "new": f"forged {rng.random()}", "number": rng.randrange(10**6, 10**9)}
    column = rng.choice(columns)
    text_or_number = ":number" if column in {"seq", "duration_us", "count"} else ":new"
    swapped = [sql("UPDATE audit SET seq = :to WHERE seq = :seq", seq=x, to=y) for x, y in ((a, 0), (b, a), (0, b))]
    other = rng.choice([name for name in columns if name not in {"seq", "call_id"}])
    return rng.choice(
        [
            sql(f"UPDATE audit SET {column} = {text_or_number} WHERE seq = :seq", **forged),
            sql(f"UPDATE audit SET {other} = (SELECT {other} FROM audit WHERE seq = :to) WHERE seq = :seq", **forged),
            sql("DELETE FROM audit WHERE seq BETWEEN :low AND :high", low=min(a, b), high=max(a, b)),
            sql("DELETE FROM audit WHERE seq = :seq", seq=a),
            each(*swapped),
            sql("UPDATE audit SET seq = seq + 1000 WHERE seq > :seq", seq=min(a, b)),
            lambda connection: rewrite(connection, min(a, b), [call(n) for n in range(max(a, b), LENGTH)]),
            lambda connection: rewrite(connection, min(a, b), [call(n + 7) for n in range(a, LENGTH + b)]),
        ]
    )


@pytest.mark.prove
async def test_drawn_tamperings_are_all_found(database: Database) -> None:
    rng, anchors = draw("tampering"), [await anchor(database)]

    def contents(connection: Connection) -> list[dict[str, Any]]:
        return [*audit.export(connection)]

    before = await database.read(contents)
    attempts = [drawn(rng, [*before[0]]) for _ in range(share(2000))]
    unchanged: set[int] = set()

    def noticing(n: int, tampering: Tampering) -> Tampering:
        def tamper(connection: Connection) -> None:
            tampering(connection)
            if contents(connection) == before:
                unchanged.add(n)  # two records with the same outcome, copied from one to the other

        return tamper

    told = await verdicts(database, [noticing(n, attempt) for n, attempt in enumerate(attempts)], anchors)
    assert {n for n, verdict in enumerate(told) if verdict.ok} == unchanged
    assert len(unchanged) < len(attempts) / 5


@pytest.mark.prove
async def test_a_million_records_verify_within_a_minute(database: Database) -> None:
    length = 1_000_000 if FULL else 20_000
    for start in range(LENGTH, length, 10_000):
        await database.write(audit.append, [call(n) for n in range(start, min(start + 10_000, length))])
    began = time.perf_counter()
    verdict = await database.read(audit.verify, [await anchor(database)])
    took = time.perf_counter() - began
    assert (verdict.records, verdict.problems) == (length, ())
    print(f"{length} records verified in {took:.1f} s")
    if FULL:
        assert took < 60
    changed = sql("UPDATE audit SET outcome = 'denied' WHERE seq = :seq", seq=length // 2 + 2)
    assert f"record {length // 2 + 2}: its contents" in await found(database, changed)
