"""The inverted index: one row for each term of a passage, kept in step with the passages by whoever writes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flotilla_kit.storage.statements import chunks
from sqlalchemy import Connection, bindparam, delete, func, select, text, update

from ..schema import accounts, passages, postings
from . import vectors, words

_MAX_KEYS = 5_000  # bound parameters in a statement
_FROM_VALUES = "INSERT INTO postings (account_key, term, passage_key, count, terms) VALUES (?, ?, ?, ?, ?)"
_FROM_ARRAYS = text(
    "INSERT INTO postings (account_key, term, passage_key, count, terms) SELECT * FROM unnest("
    "CAST(:a AS bigint[]), CAST(:b AS text[]), CAST(:c AS bigint[]), CAST(:d AS integer[]), CAST(:e AS integer[]))"
)


@dataclass(frozen=True)
class Indexed:
    """A passage as the index sees it: how often each term occurs."""

    passage_key: int
    counts: Counter[str]


def count_terms(speaker: str | None, said: str) -> Counter[str]:
    """How often each term occurs in a passage, its speaker included; the total is what `passages.terms` holds."""
    return Counter(words.terms(f"{speaker}: {said}" if speaker else said))


def add(conn: Connection, indexed: Mapping[int, Sequence[Indexed]]) -> None:
    """Write the postings of passages that have just been inserted, in the same transaction.

    Args:
        indexed: by account.
    """
    rows: list[tuple[int, str, int, int, int]] = []
    more: list[tuple[int, int, int]] = []
    for account_key, of_account in indexed.items():
        totals = [passage.counts.total() for passage in of_account]
        rows += [
            (account_key, term, passage.passage_key, count, total)
            for passage, total in zip(of_account, totals, strict=True)
            for term, count in passage.counts.items()
        ]
        more.append((account_key, len(of_account), sum(totals)))
    if rows:
        rows.sort()  # the order of the table: fewer pages are touched
        _insert(conn, rows)
    _count(conn, more)


def _insert(conn: Connection, rows: Sequence[tuple[int, str, int, int, int]]) -> None:
    # So many small rows go to each database the way it takes them fastest: anything else costs more than the rest.
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(_FROM_VALUES, list(rows))
    else:
        conn.execute(_FROM_ARRAYS, dict(zip("abcde", map(list, zip(*rows, strict=True)), strict=True)))


def remove(conn: Connection, account_key: int, passage_keys: Sequence[int]) -> None:
    """Delete the postings and vectors of passages that are about to go: their rows in `passages` are still there."""
    for keys in chunks(passage_keys, _MAX_KEYS):
        of_these = (passages.c.account_key == account_key, passages.c.passage_key.in_(keys))
        gone, all_terms = conn.execute(select(func.count(), func.sum(passages.c.terms)).where(*of_these)).one()
        _count(conn, [(account_key, -gone, -(all_terms or 0))])
        conn.execute(delete(postings).where(postings.c.account_key == account_key, postings.c.passage_key.in_(keys)))
        vectors.remove(conn, account_key, keys)


_COUNT = (
    update(accounts)
    .where(accounts.c.account_key == bindparam("of"))
    .values(passages=accounts.c.passages + bindparam("more"), terms=accounts.c.terms + bindparam("more_terms"))
)


def _count(conn: Connection, more: Sequence[tuple[int, int, int]]) -> None:
    """Add to what accounts have: by account, passages and terms."""
    if more:
        conn.execute(_COUNT, [{"of": key, "more": number, "more_terms": terms} for key, number, terms in more])
