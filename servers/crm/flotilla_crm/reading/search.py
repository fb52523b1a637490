"""The search: accounts by the words of their own names and of their contacts', whole or by how they begin.

Each word of a query is looked up in the index. The one that fits the fewest leads, the others are checked of each
account that it finds. A beginning that fits too many is taken as a whole word, so that the cost of a search is
bounded in a large store.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from ..access import Access
from ..schema import accounts, search_words
from ..statements import chunks
from ..words import MAX_WORD, after, fold, words_of

w, a = search_words.c, accounts.c
MOST_FOUND = 300  # accounts that the pages of a search can show
MOST_FITTING = 2_000  # index rows of a word's beginning that are looked at
MOST_WORDS = 8  # of a query
_OWN = case((w.record_id == w.account_id, 1), else_=0)  # a word of the account itself, not of one of its contacts


def query_words(query: str) -> list[str]:
    """The words to look up; an e-mail address is one."""
    found: list[str] = []
    for part in fold(query).split():
        found += [part[:MAX_WORD]] if "@" in part else sorted(words_of(part))
    return list(dict.fromkeys(found))[:MOST_WORDS]


def account_ids(conn: Connection, access: Access, query: str) -> Sequence[str]:
    """The accounts that have all the words of a query: those that are called so before those with such contacts."""
    words = query_words(query)
    if not words:
        return []
    counts = {word: _count(conn, _begins(w.word, word), access) for word in words}
    lead = min(words, key=lambda word: counts[word])
    if counts[lead] == 0:
        return []
    others = [word for word in words if word != lead]
    begins = _begins(w.word, lead)
    if counts[lead] > MOST_FITTING and _count(conn, w.word == lead, access):
        begins = w.word == lead
    some = select(w.account_id, _OWN.label("own")).where(begins, *_within(access))
    for word in others:
        other = search_words.alias()
        some = some.where(exists().where(other.c.account_id == w.account_id, _begins(other.c.word, word)))
    # In the index's order: of what fits very many, the first.
    first = some.limit(MOST_FITTING).subquery().c
    found = select(first.account_id, func.max(first.own).label("own")).group_by(first.account_id)
    own = {str(row.account_id): int(row.own) for row in conn.execute(found)}
    named = _names(conn, list(own))
    return sorted(own, key=lambda one: (-own[one], named[one], one))[:MOST_FOUND]


def _begins(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return and_(column >= word, column < after(word))


def _within(access: Access) -> list[ColumnElement[bool]]:
    return [] if access.account_id is None else [w.account_id == access.account_id]


def _count(conn: Connection, fits: ColumnElement[bool], access: Access) -> int:
    """How many index rows fit, at most one more than are looked at."""
    some = select(w.account_id).where(fits, *_within(access)).limit(MOST_FITTING + 1).subquery()
    return int(conn.execute(select(func.count()).select_from(some)).scalar_one())


def _names(conn: Connection, ids: Sequence[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for some in chunks(ids):
        found = select(a.account_id, a.name_folded).where(a.account_id.in_(some))
        named |= {str(account_id): str(name) for account_id, name in conn.execute(found)}
    return named
