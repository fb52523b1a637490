"""The search: accounts by the words of their own names and of their contacts', whole or by how they begin.

Each word of a query is looked up in the index. The one that fits the fewest leads, the others are checked of each
account that it finds. A beginning that fits too many is taken as a whole word, so that the cost of a search is
bounded in a large store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from ..access import Access
from ..schema import accounts, search_words
from ..words import MAX_WORD, after, fold, words_of
from ..writing.index import INDEXED

w, a = search_words.c, accounts.c
MOST_FOUND = 200  # accounts and contacts that the pages of a search can show
MOST_FITTING = 1_000  # index rows of a word's beginning that are looked at
MOST_WORDS = 8  # of a query


def query_words(query: str) -> list[str]:
    """The words to look up; an e-mail address is one."""
    found: list[str] = []
    for part in fold(query).split():
        found += [part[:MAX_WORD]] if "@" in part else sorted(words_of(part))
    return list(dict.fromkeys(found))[:MOST_WORDS]


@dataclass(frozen=True)
class Fit:
    """An account that fits, by itself or by one of its contacts."""

    account_id: str
    contact_id: str | None


def fits(conn: Connection, access: Access, query: str) -> Sequence[Fit]:
    """What has all the words of a query, the contacts of an account counting as its own words: accounts that are called
    so, then contacts."""
    words = query_words(query)
    if not words:
        return []
    # A person's whole name, or its beginning: its words may each be those of thousands.
    phrase = fold(query)[:MAX_WORD]
    if len(words) > 1 and (found := _fits(conn, access, _begins(w.word, phrase), [])):
        return found
    counts = {word: _count(conn, _begins(w.word, word), access) for word in words}
    lead = min(words, key=lambda word: counts[word])
    begins = _begins(w.word, lead)
    if counts[lead] > MOST_FITTING and _count(conn, w.word == lead, access):
        begins = w.word == lead
    return _fits(conn, access, begins, [word for word in words if word != lead]) if counts[lead] else []


def _fits(conn: Connection, access: Access, begins: ColumnElement[bool], others: Sequence[str]) -> Sequence[Fit]:
    """What is in the first index rows that fit, of accounts that have the other words too."""
    # In the index's order: of what fits very many, the first.
    first = select(w.account_id, w.record_id).where(begins, *_within(access, w)).limit(MOST_FITTING).subquery().c
    of_contact = case((first.account_id == first.record_id, 0), else_=1).label("of_contact")
    order = (of_contact, a.name_folded, first.account_id, first.record_id)
    some = select(*order).distinct().join_from(first.account_id.table, accounts, a.account_id == first.account_id)
    for word in others:
        other = search_words.alias().c
        also = (other.account_id == first.account_id, _begins(other.word, word), *_within(access, other))
        some = some.where(exists().where(*also))
    # Sorted and cut by the database: a thousand rows would take longer to fetch than to find.
    found = conn.execute(some.order_by(*order).limit(MOST_FOUND)).all()
    return [Fit(one, record if contact else None) for contact, _, one, record in found]


def _begins(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return and_(column >= word, column < after(word))


def _within(access: Access, columns: Any) -> list[ColumnElement[bool]]:
    """Only words of the caller's account, and of fields that the caller may read."""
    conditions: list[ColumnElement[bool]] = []
    if access.account_id is not None:
        conditions.append(columns.account_id == access.account_id)
    if not access.may_read("contact", *INDEXED["contact"]):
        conditions.append(columns.record_id == columns.account_id)
    if not access.may_read("account", *INDEXED["account"]):
        conditions.append(columns.record_id != columns.account_id)
    return conditions


def _count(conn: Connection, begins: ColumnElement[bool], access: Access) -> int:
    """How many index rows fit, at most one more than are looked at."""
    some = select(w.account_id).where(begins, *_within(access, w)).limit(MOST_FITTING + 1).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())
