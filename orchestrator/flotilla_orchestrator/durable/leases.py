"""Leases: a lease ends with its process, however that ends, so that another one can take over its work.

Beside a file it is a lock on another file, which the kernel lets go of; in PostgreSQL an advisory lock, which the
server lets go of with the connection.
"""

import time
import zlib
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_CLASS = 0x464C  # of advisory locks, so that they meet nobody else's
# So that the database notices within half a minute when the machine at the other end has gone.
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"
_HELD = """
    SELECT objid::bigint, coalesce(application_name, '') FROM pg_locks
    JOIN pg_database ON pg_database.oid = database LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2
    AND pg_database.datname = current_database()
"""
_ATTEMPTS = 500  # to take a lease whose file another process is looking at
_ATTEMPT_S = 0.001

LeaseCheck = Callable[[], bool]
"""Whether the lease is still there; a database's can be lost while the process lives."""


class LeaseTakenError(Exception):
    """Another process has the lease."""


@contextmanager
def lease(home: Path, url: str, name: str) -> Generator[LeaseCheck]:
    """Raises LeaseTakenError."""
    with _file_lock(home / "leases", name) if _in_files(url) else _advisory_lock(url, name) as held:
        yield held


def held_leases(home: Path, url: str, names: Collection[str]) -> set[str]:
    """Those of these leases that a process has. This keeps no process from taking one."""
    if not names:
        return set()
    return {name for name in names if _is_locked(home / "leases" / name)} if _in_files(url) else _locks(url, names)


def executor_lease(executor_id: str) -> str:
    """The name of the lease that a worker of the shared queue has; a run at a terminal has one with the run's id."""
    return f"executor-{executor_id}"


def _in_files(url: str) -> bool:
    return url.startswith("sqlite")


def lease_names(home: Path, url: str) -> set[str]:
    """The names of the leases that are taken, and beside a file of those that were; of a database, up to 63 bytes."""
    if not _in_files(url):
        return _lock_names(url)
    folder = home / "leases"
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@contextmanager
def _file_lock(folder: Path, name: str) -> Generator[LeaseCheck]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / name).open("w") as file:
        if not _owned(file):
            raise LeaseTakenError(name)
        yield lambda: True


def _owned(file: IO[str]) -> bool:
    """Lock the file for this process, past those who only look: they share its lock for a moment."""
    import fcntl

    for _ in range(_ATTEMPTS):
        if _locked(file, fcntl.LOCK_EX):
            return True
        if not _locked(file, fcntl.LOCK_SH):
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(_ATTEMPT_S)
    return False


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        with path.open() as file:  # closed, it shares nothing any more
            return not _locked(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(file: IO[str], how: int) -> bool:
    import fcntl

    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _advisory_lock(url: str, name: str) -> Generator[LeaseCheck]:
    import psycopg

    connection = psycopg.connect(url, autocommit=True, options=_KEEPALIVE, application_name=name)

    def held() -> bool:
        try:
            connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    try:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_CLASS, _number(name))).fetchone()
        if not row or not row[0]:
            raise LeaseTakenError(name)
        try:
            yield held
        finally:
            # Else the server releases it a moment after the connection was closed, and whoever is next finds it taken.
            with suppress(psycopg.Error):
                connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_CLASS, _number(name)))
    finally:
        connection.close()


def _locks(url: str, names: Collection[str]) -> set[str]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        numbers = {number for (number, _) in connection.execute(_HELD, (_CLASS,))}
    return {name for name in names if _number(name) % 2**32 in numbers}  # it lists them without a sign


def _lock_names(url: str) -> set[str]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        return {name for (number, name) in connection.execute(_HELD, (_CLASS,)) if _number(name) % 2**32 == number}


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) - 2**31
