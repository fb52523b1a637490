"""Every record of a CRM's store against its history."""

from flotilla_crm.records import TYPES
from flotilla_crm.schema import search_words
from flotilla_crm.settings import Settings
from flotilla_crm.sql_store import MIGRATIONS
from flotilla_crm.writing import history
from flotilla_crm.writing.deals import CONTACTS, roles_of
from flotilla_crm.writing.index import rows as words_of
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from sqlalchemy import Connection, select


async def check_histories(settings: Settings) -> set[str]:
    """Require that the history of each record makes it as it is, and that the search has its words; which types."""
    database = await Database.open(store_url(settings), [KIT_MIGRATIONS, MIGRATIONS])
    try:
        return await database.read(check)
    finally:
        await database.close()


def check(conn: Connection) -> set[str]:
    """As `check_histories`, in a transaction."""
    seen: set[str] = set()
    words: set[tuple[str, str, str]] = set()
    for name, kind in TYPES.items():
        for row in conn.execute(select(kind.table)).mappings():
            record_id = row[kind.id]
            version, made = history.replay(conn, kind.name, record_id)
            made = dict(made)
            contacts = made.pop(CONTACTS, None)
            if name == "deal":
                assert (contacts or []) == roles_of(conn, record_id), record_id
            there = {field: row[field] for field in kind.by_name if row[field] is not None}
            assert {field: value for field, value in made.items() if value is not None} == there, record_id
            assert version == row["version"], record_id
            if row.get("merged_into") is None:
                found = words_of(kind.name, record_id, row["account_id"], dict(row))
                words |= {(one["word"], one["account_id"], one["record_id"]) for one in found}
            seen.add(name)
    w = search_words.c
    assert {tuple(row) for row in conn.execute(select(w.word, w.account_id, w.record_id))} == words
    return seen
