"""One code path to SQLite and PostgreSQL: store functions are plain sync `f(conn, …)` on SQLAlchemy Core.

On SQLite, reads run inline and writes on one writer thread; on PostgreSQL both run on the async engine. That is what
measured fastest while money stays durable (synchronous=FULL, BEGIN IMMEDIATE, one writer at a time, group commit).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import StaticPool

from ..terminal.invocation import started
from .group_commit import GroupCommit
from .postgres import READ_ONLY, transaction
from .schema import Migrations

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from ..errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_MEMORY = ":memory:"
BUSY_TIMEOUT_MS = 10_000  # how long a writer waits for another process's transaction
RESTART_S = 10  # a third of what a call of a server may take


class Database:
    """A store's database: `open`, then `read` and `write` with one transaction each, then `close`."""

    def __init__(self, engine: "Engine | AsyncEngine") -> None:
        self._engine = engine
        self._reader: Connection | None = None
        self._writer = GroupCommit(engine) if isinstance(engine, Engine) else None
        self._restart_s = 0.0  # until it is open: who starts is told at once that there is no database

    @classmethod
    async def open(
        cls,
        url: str,
        migrations: Sequence[Migrations],
        *,
        read_only: bool = False,
        secure_delete: bool = False,
        restart_s: float = RESTART_S,
    ) -> "Database":
        """Connect to `sqlite:///PATH` or `postgresql://…` and bring the schema up to date.

        A read-only SQLite store that does not exist yet is an empty one in memory: nothing is created.

        Args:
            secure_delete: what SQLite deletes or moves is overwritten with zeros in its file (see `truncate_log`).
            restart_s: how long a transaction waits for a PostgreSQL that takes no connection, as while it is restarted,
                and one that may be repeated is, once its connection was lost.

        Raises:
            StoreUnavailable: the database cannot be reached, or a read-only one needs a migration.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            path = _sqlite_path(parsed.database, read_only=read_only)
            read_only = read_only and path != _MEMORY
            database = cls(_sqlite_engine(path, read_only=read_only, secure_delete=secure_delete))
        else:
            database = cls(_postgres_engine(url))
        await database._migrate(migrations, read_only=read_only)
        database._restart_s = restart_s
        return database

    async def read(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `f(conn, …)` in one read-only transaction: a consistent view.

        On PostgreSQL `f` runs again if the connection is lost in the middle.
        """
        return await self._read(self._restart_s, f, *args, **kwargs)

    async def _read(
        self, restart_s: float, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with database_errors():
            if isinstance(self._engine, Engine):
                return self._read_inline(self._engine, f, *args, **kwargs)
            return await transaction(
                self._engine, lambda connection: f(connection, *args, **kwargs), restart_s, READ_ONLY, repeat=True
            )

    def _read_inline(
        self, engine: Engine, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._reader is None:
            self._reader = engine.connect().execution_options(read_only=True)
        # Transactions of the one reader are the driver's: SQLAlchemy's objects for them would cost as much as a read.
        driver = cast(sqlite3.Connection, self._reader.connection.driver_connection)
        driver.execute("BEGIN")
        try:
            return f(self._reader, *args, **kwargs)
        finally:
            driver.rollback()  # nothing was written, and a commit fails once a damaged page was met

    async def write(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `f(conn, …)` in one transaction: all of it is durable when this returns, or none of it happened.

        If the caller is cancelled, a transaction that has begun is finished on SQLite and rolled back on PostgreSQL.
        """
        return await self._write(False, f, *args, **kwargs)

    async def write_unique(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write`, for an `f` that finds what it did, or another, when it runs again, such as by a key.

        It runs again if another was first with that key, and on PostgreSQL if the connection is lost, also at COMMIT,
        when nobody knows whether it happened.

        Raises:
            sqlalchemy.exc.IntegrityError: the second transaction met one as well.
        """
        try:
            return await self._write(True, f, *args, **kwargs)
        except IntegrityError:
            return await self._write(True, f, *args, **kwargs)

    async def _write(
        self, repeat: bool, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run(connection: Connection) -> T:
            return f(connection, *args, **kwargs)

        with database_errors():
            if self._writer is not None:
                return await self._writer.write(run)
            return await transaction(cast("AsyncEngine", self._engine), run, self._restart_s, repeat=repeat)

    async def ping(self) -> None:
        """Raises `StoreUnavailable` if the database does not answer now."""
        await self._read(0, lambda connection: connection.execute(text("SELECT 1")) and None)

    async def truncate_log(self, wait_ms: int = BUSY_TIMEOUT_MS) -> bool:
        """Empty SQLite's write-ahead log, in which what was deleted still is; false while others read from it.

        PostgreSQL's log and dead rows are its own: true, as there is nothing to do here.

        Args:
            wait_ms: how long to wait for others; nobody writes meanwhile.
        """
        engine, writer = self._engine, self._writer
        if writer is None or not isinstance(engine, Engine):
            return True

        def checkpoint() -> bool:
            with engine.connect().execution_options(read_only=True) as connection:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
                try:
                    return connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0] == 0
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

        with database_errors():
            return await writer.run(checkpoint)

    async def close(self) -> None:
        """Finish what is being written and let go of every connection."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
        if self._reader is not None:
            self._reader.close()
        if isinstance(self._engine, Engine):
            self._engine.dispose()
        else:
            await self._engine.dispose()

    async def _migrate(self, migrations: Sequence[Migrations], *, read_only: bool) -> None:
        due = await self.read(_due, migrations)
        if due and read_only:
            names = ", ".join(migration.name for migration in due)
            raise _unavailable(
                f"The store needs a migration ({names}) and is opened read-only.",
                suggestion="It brings the store up to date and then serves; stop it and go on with --read-only.",
                command=(),
            )
        if due:
            from .upgrade import upgrade

            await self.write(upgrade, migrations)


def _due(connection: Connection, migrations: Sequence[Migrations]) -> list[Migrations]:
    dialect = connection.dialect
    present = [m for m in migrations if dialect.has_table(connection, f"{m.name}_version")]
    current = {
        m.name: connection.exec_driver_sql(f"SELECT version_num FROM {m.name}_version").scalar() for m in present
    }
    return [migration for migration in migrations if current.get(migration.name) != migration.head]


def _sqlite_path(path: str | None, *, read_only: bool) -> str:
    if not path or path == _MEMORY or (read_only and not Path(path).exists()):
        return _MEMORY
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _sqlite_engine(path: str, *, read_only: bool, secure_delete: bool) -> Engine:
    address = f"file:{path}?mode=ro&uri=true" if read_only else path
    engine = create_engine(
        f"sqlite:///{address}",
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # of what an error says, and so of the log
        **({"poolclass": StaticPool} if path == _MEMORY else {}),
    )

    @event.listens_for(engine, "connect")
    def configure(dbapi: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]  # a listener
        dbapi.isolation_level = None
        dbapi.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        dbapi.execute("PRAGMA foreign_keys=ON")
        if read_only:
            dbapi.execute("PRAGMA query_only=ON")
        else:
            dbapi.execute("PRAGMA journal_mode=WAL")
            dbapi.execute("PRAGMA synchronous=FULL")
            if secure_delete:
                dbapi.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]  # a listener
        # SQLAlchemy begins by itself: without the option every read would take the write lock.
        if not connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: str) -> "AsyncEngine":
    from sqlalchemy.ext.asyncio import create_async_engine

    try:
        return create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=8,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise _unavailable(
            "PostgreSQL needs the psycopg driver.",
            suggestion=_how_to_install(),
        ) from None


@contextmanager
def database_errors() -> Generator[None]:
    """Raises `StoreUnavailable` for a database that does not answer, or has no connection free, without its address."""
    try:
        yield
    except (OperationalError, NoConnectionFree, sqlite3.OperationalError) as error:
        raise _unavailable(
            "The store's database does not answer.",
            suggestion="Try again; if it goes on, check that it is running.",
        ) from error


def _how_to_install() -> str:
    invocation = started()
    how = f": {invocation.installing_postgres()}" if invocation else ", for example flotilla-billing[postgres]."
    return f"Install the server with its postgres extra{how}"


def _unavailable(message: str, suggestion: str, command: Sequence[str] | None = None) -> "StoreUnavailable":
    # The error is FastMCP's kind, which takes half a second to import: not for a program that only reads a journal.
    from ..errors import StoreUnavailable

    return StoreUnavailable(message, suggestion=suggestion, command=command)
