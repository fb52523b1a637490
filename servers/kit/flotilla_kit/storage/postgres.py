"""One transaction of PostgreSQL, through its restarts."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

READ_ONLY: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_POLL_S = 0.25


async def transaction(
    engine: "AsyncEngine",
    f: Callable[[Connection], T],
    restart_s: float,
    options: Mapping[str, Any] | None = None,
    *,
    repeat: bool,
) -> T:
    """Run `f(conn)` in one transaction.

    While the database takes no connection, as when it is being started anew, others are tried for `restart_s` seconds:
    nothing has been sent yet, so nothing can happen twice. After a connection is lost, nobody knows whether a COMMIT
    arrived: within the same time `f` runs in another transaction if it may `repeat`; else the caller is told.

    Raises:
        sqlalchemy.exc.OperationalError: the database is away, or was when it mattered.
    """
    ends, lost = 0.0, 0
    while True:
        connected = False
        try:
            async with engine.connect() as connection:
                connected = True
                if options:
                    await connection.execution_options(**options)
                async with connection.begin():
                    return await connection.run_sync(f)
        except OperationalError as error:
            if connected and not (repeat and error.connection_invalidated):
                raise
            now = time.monotonic()
            ends = ends or now + restart_s
            if now >= ends:
                raise
        lost += connected
        await asyncio.sleep(_POLL_S * 2**lost)  # longer each time: `f` itself may be what the database dies of
