"""The inverted index: one row for each term of a passage, kept in step with the passages by whoever writes them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from ..schema import accounts, passages, postings
from . import words

_MAX_KEYS = 5_000  # bound parameters in a statement


@dataclass(frozen=True)
class Indexed:
    """A passage as the index sees it: its speaker's name is part of what is searched."""

    passage_key: int
    text: str
    speaker: str | None


def count_terms(speaker: str | None, text: str) -> Counter[str]:
    """How often each term occurs; the total is what `passages.terms` holds."""
    return Counter(words.terms(f"{speaker}: {text}" if speaker else text))


def add(conn: Connection, account_key: int, indexed: Sequence[Indexed]) -> None:
    """Write the postings of passages that have just been inserted, in the same transaction."""
    rows: list[dict[str, object]] = []
    all_terms = 0
    for passage in indexed:
        counts = count_terms(passage.speaker, passage.text)
        total = counts.total()
        all_terms += total
        rows.extend(
            {
                "account_key": account_key,
                "term": term,
                "passage_key": passage.passage_key,
                "count": count,
                "terms": total,
            }
            for term, count in counts.items()
        )
    if rows:
        rows.sort(key=lambda row: (row["term"], row["passage_key"]))  # the order of the table: fewer pages are touched
        conn.execute(insert(postings), rows)
    _count(conn, account_key, len(indexed), all_terms)


def remove(conn: Connection, account_key: int, passage_keys: Sequence[int]) -> None:
    """Delete the postings of passages that are about to go: their rows in `passages` are still there."""
    for start in range(0, len(passage_keys), _MAX_KEYS):
        keys = passage_keys[start : start + _MAX_KEYS]
        of_these = (passages.c.account_key == account_key, passages.c.passage_key.in_(keys))
        gone, all_terms = conn.execute(select(func.count(), func.sum(passages.c.terms)).where(*of_these)).one()
        _count(conn, account_key, -gone, -(all_terms or 0))
        conn.execute(delete(postings).where(postings.c.account_key == account_key, postings.c.passage_key.in_(keys)))


def _count(conn: Connection, account_key: int, more_passages: int, more_terms: int) -> None:
    conn.execute(
        update(accounts)
        .where(accounts.c.account_key == account_key)
        .values(passages=accounts.c.passages + more_passages, terms=accounts.c.terms + more_terms)
    )
