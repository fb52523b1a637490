"""Threads that write to one SQLite file wait for each other's transactions, and for nothing else."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from flotilla_orchestrator.durable.write_turns import TurnTakingConnection, write_turn

INSERT = "INSERT INTO numbers VALUES (?)"


def connected(folder: Path) -> "closing[sqlite3.Connection]":
    found = sqlite3.connect(
        folder / "numbers.db",
        factory=TurnTakingConnection,
        isolation_level="IMMEDIATE",
        timeout=0,
        check_same_thread=False,
    )
    found.execute("PRAGMA journal_mode=WAL")
    found.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)")
    return closing(found)


def test_a_transaction_waits_for_another_one_though_sqlite_would_refuse_it(tmp_path: Path) -> None:
    with connected(tmp_path) as first, connected(tmp_path) as second:
        first.cursor().execute(INSERT, (1,))

        def write() -> None:
            second.cursor().execute(INSERT, (2,))
            second.commit()

        thread = threading.Thread(target=write)
        thread.start()
        assert second.cursor().execute("SELECT count(*) FROM numbers").fetchone() == (0,), "who reads does not wait"
        first.commit()
        thread.join()
        assert first.cursor().execute("SELECT number FROM numbers").fetchall() == [(1,), (2,)]


def test_a_turn_ends_with_its_transaction_however_that_ends(tmp_path: Path) -> None:
    with connected(tmp_path) as first, connected(tmp_path) as second:
        first.cursor().execute(INSERT, (1,))
        first.rollback()
        second.cursor().executemany(INSERT, [(2,), (3,)])
        second.commit()
        with pytest.raises(sqlite3.IntegrityError):
            first.cursor().execute(INSERT, (2,))
        first.rollback()
        with closing(sqlite3.connect(tmp_path / "numbers.db", timeout=0)) as elsewhere:
            elsewhere.execute(INSERT, (4,))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                first.cursor().execute(INSERT, (5,))
        with write_turn():
            second.cursor().execute("SELECT number FROM numbers")
        second.cursor().execute(INSERT, (6,))
        second.close()
        first.cursor().execute(INSERT, (6,))
        first.commit()
