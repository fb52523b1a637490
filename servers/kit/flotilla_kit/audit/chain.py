"""The audit's chain: every record holds the hash of the one before it, so none can change or vanish unnoticed.

hash = SHA-256 in hex of the UTF-8 of the compact JSON array [previous_hash, seq, at, call_id, …, duration_us, count];
the first record's previous_hash is 64 zeros. Anyone can check an export with those two lines and no code of ours.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, bindparam, insert, select, update

from .. import times

GENESIS = "0" * 64
TEXTS = (
    *("at", "call_id", "tool", "principal", "subject", "run", "token_id", "tool_use_id"),
    *("arguments_digest", "arguments", "outcome"),
)
COLUMNS = ("seq", *TEXTS, "duration_us", "count", "previous_hash", "hash")

_metadata = MetaData()
audit = Table(
    "audit",
    _metadata,
    *(Column(name, Text if name in TEXTS or name.endswith("hash") else BigInteger) for name in COLUMNS),
)
audit_head = Table(
    "audit_head", _metadata, *(Column("id", BigInteger), Column("seq", BigInteger), Column("hash", Text))
)

_READ_HEAD = select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == 1)
_LOCK_HEAD = _READ_HEAD.with_for_update()  # SQLite holds its one write lock already and leaves the clause out
_MOVE_HEAD = update(audit_head).where(audit_head.c.id == 1).values(seq=bindparam("to_seq"), hash=bindparam("to_hash"))
_INSERT = insert(audit)
_texts = attrgetter(*TEXTS)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(slots=True)
class Record:
    """One call, or refusals counted together; `arguments` is redacted JSON text, `outcome` is `ok` or an error's code.

    `in_effect`: the record went into a mutation's transaction, so it is there already if that one was committed.
    """

    tool: str
    principal: str
    subject: str
    run: str = ""
    token_id: str = ""
    tool_use_id: str = ""
    arguments_digest: str = ""
    arguments: str = ""
    outcome: str = ""
    duration_us: int = 0
    at: str = field(default_factory=times.now)
    call_id: str = field(default_factory=lambda: uuid4().hex)
    count: int = 1
    in_effect: bool = False
    began_ns: int = field(default_factory=time.perf_counter_ns)

    def ended(self, outcome: str) -> None:
        self.outcome = outcome
        self.duration_us = (time.perf_counter_ns() - self.began_ns) // 1000


@dataclass(frozen=True)
class Head:
    """The last record's number and hash; of an empty chain 0 and 64 zeros."""

    seq: int
    hash: str


def chained_hash(body: Sequence[object]) -> str:
    """The hash of a record, given as previous_hash and then every other column in the order of `COLUMNS`.

    Raises:
        ValueError, TypeError: it holds what no record does (bytes, broken text): it was tampered with.
    """
    return hashlib.sha256(_encode(body).encode()).hexdigest()


def head(connection: Connection) -> Head:
    """The chain's head, as the last append left it."""
    seq, last_hash = connection.execute(_READ_HEAD).one()
    return Head(seq, last_hash)


def append(connection: Connection, records: Sequence[Record]) -> None:
    """Add records to the chain. Do it last in a transaction: replicas wait for its lock on the head.

    A record that is `in_effect` and in the table already is left out.

    Raises:
        sqlalchemy.exc.IntegrityError: a record that is not `in_effect` is in the table already.
    """
    if not records:
        return
    seq, previous = connection.execute(_LOCK_HEAD).one()
    written = _written(connection, [record.call_id for record in records if record.in_effect])
    rows: list[dict[str, object]] = []
    for record in records:
        if record.in_effect:
            if record.call_id in written:
                continue
            written.add(record.call_id)
        seq += 1
        body = [previous, seq, *map(_storable, _texts(record)), record.duration_us, record.count]
        digest = chained_hash(body)
        rows.append(dict(zip(COLUMNS, (*body[1:], previous, digest), strict=True)))
        previous = digest
    if rows:
        connection.execute(_INSERT, rows)
        connection.execute(_MOVE_HEAD, {"to_seq": seq, "to_hash": previous})


def append_in_effect(connection: Connection, record: Record) -> None:
    """Add a mutation's record in the mutation's own transaction; only the first of several calls adds it."""
    try:
        append(connection, [record])
    finally:
        record.in_effect = True


def is_written(connection: Connection, record: Record) -> bool:
    """Whether the record is in the table."""
    return bool(_written(connection, [record.call_id]))


def _written(connection: Connection, call_ids: Sequence[str]) -> set[str]:
    if not call_ids:
        return set()
    return set(connection.scalars(select(audit.c.call_id).where(audit.c.call_id.in_(call_ids))))


def _storable(text: str) -> str:
    """The text as both databases take it: a NUL or lone surrogate that a caller chose must not stop the audit."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
