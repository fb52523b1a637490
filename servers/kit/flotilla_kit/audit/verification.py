"""Verifying the chain, in the database or in an export, by one routine; and the export itself."""

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, Select, bindparam, func, select

from .anchors import Anchor
from .chain import COLUMNS, GENESIS, audit, audit_head, chained_hash

MOST_PROBLEMS = 20
_CHUNK = 10_000
_HASHED = ("previous_hash", *COLUMNS[:-2], "hash")  # a row as it is hashed, then its hash
_SELECT = select(*(audit.c[name] for name in _HASHED)).order_by(audit.c.seq).limit(_CHUNK)
_SELECT_AFTER = _SELECT.where(audit.c.seq > bindparam("after"))

Row = Sequence[JsonValue]


@dataclass(frozen=True)
class Verdict:
    """What verifying found: the last record's number and hash, and up to 20 problems, each naming the seq."""

    ok: bool
    records: int
    head_seq: int
    head_hash: str
    problems: tuple[str, ...]


def verify(connection: Connection, anchors: Sequence[Anchor] = ()) -> Verdict:
    """Read the whole chain and compare it with its head and the anchors. Run it with `Database.read`: one moment.

    It finds any changed, missing, swapped, inserted or repeated record, and a chain that was cut short. One rewritten
    from some record on, head included, is consistent: only an anchor from before finds that.
    """
    walk = _Walk(0, anchors)
    with _broken_text_too(connection):
        walk.follow(_rows(connection))
    counted = connection.execute(select(func.count()).select_from(audit)).scalar_one()
    if counted != walk.records:
        walk.problem(walk.seq, f"the table holds {counted} records, {walk.records} of them in the chain's order")
    heads = [tuple(row) for row in connection.execute(select(audit_head.c.id, audit_head.c.seq, audit_head.c.hash))]
    if not heads:
        walk.problem(walk.seq, "the head row is missing")
    elif heads != [(1, walk.seq, walk.hash)]:
        walk.problem(walk.seq, f"the chain ends here, but its head row says {heads[0][1]} with hash {heads[0][2]}")
    return walk.verdict()


def verify_export(lines: Iterable[str], anchors: Sequence[Anchor] = (), *, after: int = 0) -> Verdict:
    """Verify JSON lines of `export` without the database: any problem inside it, and against the anchors.

    Only an anchor tells whether records are missing at its end. An export that starts `after` a record is taken to
    follow it; the anchor of that record, if there is one, says whether it does.

    Raises:
        ValueError: a line is not a record.
    """
    walk = _Walk(after, anchors)
    walk.follow(_parsed(line) for line in lines)
    return walk.verdict()


def export(connection: Connection, after: int = 0) -> Iterator[dict[str, JsonValue]]:
    """Each record after that seq, in order, with every column; `verify_export` checks it without the database."""
    with _broken_text_too(connection):
        for row in _rows(connection, after):
            values = dict(zip(_HASHED, row, strict=True))
            yield {name: values[name] for name in COLUMNS}


class _Walk:
    """One pass over rows in order; after a problem it goes on from what is there, so each is told once."""

    def __init__(self, after: int, anchors: Sequence[Anchor]) -> None:
        self.seq = after
        self.hash = GENESIS
        self.records = 0
        self._problems: list[str] = []
        self._anchored: dict[int, set[str]] = {}
        for anchor in anchors:
            if anchor.seq >= after:
                self._anchored.setdefault(anchor.seq, set()).add(anchor.hash)
        self._follows = True
        if after > 0:  # what the first one follows is not here: its anchor knows, or nobody
            noted = self._anchored.pop(after, set[str]())
            self._follows = bool(noted)
            self.hash = next(iter(noted), "")

    def problem(self, seq: object, what: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(f"record {seq}: {what}")

    def follow(self, rows: Iterable[Row]) -> None:
        anchored = self._anchored
        for row in rows:
            previous, seq, digest = row[0], row[1], row[-1]
            if seq != self.seq + 1:
                self.problem(seq, f"{self.seq + 1} was expected here: records are missing, moved or repeated")
            if previous != self.hash and self._follows:
                self.problem(seq, "it does not follow the record before it")
            try:
                if chained_hash(row[:-1]) != digest:
                    self.problem(seq, "its contents do not match its hash")
            except (TypeError, ValueError):
                self.problem(seq, "it holds values that no record does")
            self.records += 1
            self.seq = seq if isinstance(seq, int) else self.seq + 1
            self.hash = str(digest)
            self._follows = True
            if self.seq in anchored and anchored.pop(self.seq) != {self.hash}:
                self.problem(seq, "an anchor noted another hash")

    def verdict(self) -> Verdict:
        for seq, hashes in self._anchored.items():
            if seq > 0 or hashes != {GENESIS}:
                self.problem(seq, f"an anchor noted it, but it is not in the chain, which ends at {self.seq}")
        return Verdict(not self._problems, self.records, self.seq, self.hash, tuple(self._problems))


def _rows(connection: Connection, after: int | None = None) -> Iterator[Row]:
    """Rows by seq; without `after` truly all, also those that a forger numbered below 1."""

    def page(statement: Select[Any], last: JsonValue) -> Sequence[Row]:
        return connection.execute(statement, {"after": last}).all()

    found = page(_SELECT if after is None else _SELECT_AFTER, after)
    while found:
        yield from found
        found = page(_SELECT_AFTER, found[-1][1])


def _parsed(line: str) -> Row:
    values: JsonValue = json.loads(line)
    if not isinstance(values, dict) or values.keys() != set(COLUMNS):
        raise ValueError("A line of the export is not a record.")
    return [values[name] for name in _HASHED]


@contextmanager
def _broken_text_too(connection: Connection) -> Generator[None]:
    """Let SQLite return text that is not UTF-8 (as surrogates, which nothing hashes): to be found, not to fail at."""
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    usual = driver.text_factory
    driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = usual
