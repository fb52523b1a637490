"""The one writer of a SQLite file: transactions that wait for it at the same time are committed together.

A commit waits for the disk, some milliseconds; what came meanwhile shares the next one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, Engine

T = TypeVar("T")
_MOST = 64  # transactions in one commit


class GroupCommit:
    """Runs transactions on a thread of its own, in the order in which they came."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._waiting = deque[_Transaction[Any]]()

    async def write(self, f: Callable[[Connection], T]) -> T:
        """Run `f(conn)`: all of it is durable when this returns, or none of it happened, whatever becomes of others.

        If the caller is cancelled, a transaction that has begun is finished, and another one is not begun.
        """
        transaction = _Transaction(f)
        self._waiting.append(transaction)
        try:
            await self.run(self._commit)
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(transaction)
            raise
        return transaction.result()

    async def run(self, f: Callable[[], T]) -> T:
        """Run something else on the writer's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, f)

    def close(self) -> None:
        """Finish what is being written."""
        self._thread.shutdown()

    def _commit(self) -> None:
        transactions = list[_Transaction[Any]]()
        with suppress(IndexError):  # an earlier commit may have taken all along
            while len(transactions) < _MOST:
                transactions.append(self._waiting.popleft())
        if not transactions:
            return
        try:
            with self._engine.begin() as connection:
                if len(transactions) == 1:
                    transactions[0].run(connection)
                else:
                    for transaction in transactions:
                        transaction.run_apart(connection)
        except BaseException as error:  # noqa: BLE001  whoever waits for it is told
            for transaction in transactions:
                transaction.error = transaction.error or error


class _Transaction(Generic[T]):
    def __init__(self, f: Callable[[Connection], T]) -> None:
        self._f = f
        self._result: T | None = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        self._result = self._f(connection)

    def run_apart(self, connection: Connection) -> None:
        """Beside others: if it fails, nothing of it happened, and the others go on."""
        try:
            with connection.begin_nested():
                self.run(connection)
        except Exception as error:  # noqa: BLE001  whoever waits for it is told
            self.error = error

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self._result)
