"""Starts DBOS in this process, and stops it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from dbos import DBOS

from .executor import Executor, executor_entered
from .workflow_store import APPLICATION, migrate
from .write_turns import TurnTakingConnection

_POLL_S = 0.2  # how often decisions are looked for, of each question of all runs
_POLL_ONE_S = 0.05  # for one run, whose process ends as much sooner: DBOS waits for the last poll
_COALESCE_S = 0.2  # of events and streams, which nothing here uses; DBOS wakes up a hundred times a second for them


@asynccontextmanager
async def dbos_launched(
    executor: Executor, executor_id: str, version: str, queues: Sequence[str] = ()
) -> AsyncGenerator[None]:
    """DBOS works on these queues, and on nothing else, while the block lasts. It first resumes what an earlier process
    with this executor id has left; the caller has its lease.
    """
    await asyncio.to_thread(migrate, executor.database)
    in_sqlite = executor.database.startswith("sqlite")
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": executor.database,
            "executor_id": executor_id,
            "application_version": version,
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": _POLL_S if queues else _POLL_ONE_S,
            "notification_coalesce_sec": _COALESCE_S,
            "run_migrations": False,
            "db_engine_kwargs": {"connect_args": {"factory": TurnTakingConnection}} if in_sqlite else {},
        }
    )
    DBOS.listen_queues(queues)
    with executor_entered(executor):
        watching = asyncio.create_task(executor.watch.poll())
        try:
            DBOS.launch()
            yield
        finally:
            await executor.stop()
            watching.cancel()
            await asyncio.wait([watching])
            await asyncio.to_thread(DBOS.destroy)
            # It had made its own pool that of the loop, and has shut it down.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
