"""Turns of writing to the SQLite file of workflows: the threads of this process wait for each other at a lock.

SQLite has whoever meets another's transaction sleep and try again, in the end every 100 ms; with bad luck one waits for
seconds while others come and go.
"""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_LONGEST_S = 30.0  # after that SQLite decides
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN")  # what begins a transaction

_lock = threading.Lock()


@contextmanager
def write_turn() -> Generator[None]:
    """The turn of this thread, while the block lasts."""
    taken = _lock.acquire(timeout=_LONGEST_S)
    try:
        yield
    finally:
        if taken:
            _lock.release()


class TurnTakingConnection(sqlite3.Connection):
    """A connection that has the turn from the first statement of a transaction that writes until its end."""

    _has_turn = False

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)

    def take_turn(self, statement: str) -> None:
        if not self.in_transaction and statement.lstrip()[:7].upper().startswith(_WRITES):
            self._has_turn = _lock.acquire(timeout=_LONGEST_S)

    def end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _lock.release()

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self.end_turn()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self.end_turn()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.end_turn()


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, parameters: Any = (), /) -> Any:
        with self._turn(statement):
            return super().execute(statement, parameters)

    def executemany(self, statement: str, parameters: Any, /) -> Any:
        with self._turn(statement):
            return super().executemany(statement, parameters)

    @contextmanager
    def _turn(self, statement: str) -> Generator[None]:
        """The turn for a statement; it is kept as long as there is a transaction."""
        connection: Any = self.connection
        connection.take_turn(statement)
        try:
            yield
        except BaseException:
            if not connection.in_transaction:
                connection.end_turn()
            raise
