"""The index of the search: the words of accounts and of their contacts, kept in step by whoever writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from flotilla_kit.storage.statements import insert_new
from sqlalchemy import Connection, delete

from ..records import RecordType
from ..schema import search_words
from ..words import MAX_WORD, fold, words_of

w = search_words.c
INDEXED: Mapping[RecordType, Sequence[str]] = {
    "account": ("name", "domain"),
    "contact": ("first_name", "last_name", "email"),
}
"""Of each type, the fields that are searched."""


def words(kind: RecordType, values: Mapping[str, Any]) -> set[str]:
    """The words that a record is found by; an e-mail address is one word, and so is the name as a whole."""
    name = [values.get(part) for part in ("name", "first_name", "last_name") if part in INDEXED.get(kind, ())]
    phrases = [fold(" ".join(part for part in name if part)), fold(values.get("email") or "")]
    whole = {phrase[:MAX_WORD] for phrase in phrases if words_of(phrase)}
    return whole | words_of(*(values.get(name) for name in INDEXED.get(kind, ()) if name != "email"))


def rows(kind: RecordType, record_id: str, account_id: str | None, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The index's rows of a record."""
    if account_id is None:
        return []
    return [{"word": word, "account_id": account_id, "record_id": record_id} for word in words(kind, values)]


def update(
    conn: Connection,
    kind: RecordType,
    record_id: str,
    account_id: str | None,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    """Bring the index from one state of a record to another; `new` is empty of one that is found no more."""
    if account_id is None:
        return
    before, after = words(kind, old), words(kind, new)
    gone = (w.word.in_(sorted(before - after)), w.account_id == account_id, w.record_id == record_id)
    if before - after:
        conn.execute(delete(search_words).where(*gone))
    added = [{"word": word, "account_id": account_id, "record_id": record_id} for word in sorted(after - before)]
    insert_new(conn, search_words, added)
