"""Whether SQLite's write-ahead log, and pages that it has yet to overwrite, may hold what was erased.

A number in the database's header (`user_version`) that only grows says so: it is odd from an erasure, in its very
transaction, until the log was emptied after it. PostgreSQL's log is its own: nothing is noted there.
"""

from sqlalchemy import Connection


def note_erased(conn: Connection) -> None:
    """From this transaction on, the log is to be emptied."""
    if conn.dialect.name == "sqlite":
        number = _number(conn)
        _set(conn, number + 1 + number % 2)


def due(conn: Connection) -> int | None:
    """The number under which the log is to be emptied; None if it is not."""
    number = _number(conn)
    return number if number % 2 else None


def note_emptied(conn: Connection, number: int) -> None:
    """The log was emptied after `due` answered this number. Another erasure since then has a number of its own."""
    if _number(conn) == number:
        _set(conn, number + 1)


def _number(conn: Connection) -> int:
    return int(conn.exec_driver_sql("PRAGMA user_version").scalar_one())


def _set(conn: Connection, number: int) -> None:
    conn.exec_driver_sql(f"PRAGMA user_version={number}")
