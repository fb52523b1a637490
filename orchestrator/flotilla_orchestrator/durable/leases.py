"""Who works on what: a lease ends with its process, however that ends, so that another one can take over.

Beside a file it is a lock on another file, which the kernel lets go of; in PostgreSQL an advisory lock, which the
server lets go of with the connection.
"""

import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_CLASS = 0x464C  # of advisory locks, so that they meet nobody else's
# So that the database notices within half a minute when the machine at the other end has gone.
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4"

LeaseCheck = Callable[[], bool]
"""Whether the lease is still there; a database's can be lost while the process lives."""


class LeaseTakenError(Exception):
    """Another process has the lease."""


@contextmanager
def lease(home: Path, url: str, name: str) -> Generator[LeaseCheck]:
    """Raises TakenError."""
    with _file_lock(home / "leases", name) if url.startswith("sqlite") else _advisory_lock(url, name) as held:
        yield held


def lease_names(home: Path) -> list[str]:
    """Of those beside a file that are or were taken; a database does not say the names of its own."""
    folder = home / "leases"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _file_lock(folder: Path, name: str) -> Generator[LeaseCheck]:
    import fcntl

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LeaseTakenError(name) from error
        yield lambda: True


@contextmanager
def _advisory_lock(url: str, name: str) -> Generator[LeaseCheck]:
    import psycopg

    connection = psycopg.connect(url, autocommit=True, options=_KEEPALIVE)
    number = zlib.crc32(name.encode()) - 2**31

    def held() -> bool:
        try:
            connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    try:
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_CLASS, number)).fetchone()
        if not row or not row[0]:
            raise LeaseTakenError(name)
        yield held
    finally:
        connection.close()
