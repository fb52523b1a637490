"""Records in their tables: read for a change, made, and changed, each with its version, history and index."""

from collections.abc import Mapping, Sequence
from typing import Any

from flotilla_kit.errors import Conflict
from sqlalchemy import Connection, insert, select, update

from ..records import Type
from ..schema import search_words
from ..values import email_domain, email_key
from ..words import fold
from . import history, index
from .history import FieldChange, Origin

State = Mapping[str, Any]
"""A record's row."""


def lock(conn: Connection, kind: Type, record_id: str) -> State | None:
    """A record, which nobody else changes until this transaction ends; None if it is not there."""
    found = select(kind.table).where(kind.table.c[kind.id] == record_id).with_for_update()
    row = conn.execute(found).mappings().one_or_none()
    return None if row is None else dict(row)


def create(conn: Connection, kind: Type, records: Sequence[State], origin: Origin) -> None:
    """Write new records, each with its id and fields as the store keeps them."""
    at = {"version": 1, "created_at": origin.at, "updated_at": origin.at}
    full: list[dict[str, Any]] = [
        {**dict.fromkeys(kind.by_name), **record, **derived(kind, record), **at} for record in records
    ]
    conn.execute(insert(kind.table), full)
    history.write(
        conn,
        (
            FieldChange(kind.name, record[kind.id], record.get("account_id"), 1, name, None, record[name])
            for record in full
            for name in kind.by_name
            if record[name] is not None
        ),
        origin,
    )
    words = [row for r in full for row in index.rows(kind.name, r[kind.id], r.get("account_id"), r)]
    if words:
        conn.execute(insert(search_words), words)


def changed_fields(kind: Type, current: State, given: State) -> dict[str, Any]:
    """Those of the given fields that the record does not have like that."""
    return {name: value for name, value in given.items() if name in kind.by_name and current[name] != value}


def change(conn: Connection, kind: Type, current: State, given: State, origin: Origin, **columns: Any) -> int:
    """Set fields of a record that is as `current` says; its version then, the same if nothing differs.

    Args:
        columns: beside the fields, what else of the row changes.

    Raises:
        Conflict: it is no longer as `current` says. Nothing was changed.
    """
    changed = changed_fields(kind, current, given)
    if not changed:
        return int(current["version"])
    record_id, version = current[kind.id], int(current["version"])
    after = {**current, **changed}
    written = update(kind.table).where(kind.table.c[kind.id] == record_id, kind.table.c.version == version)
    columns = {**derived(kind, after), **changed, **columns, "version": version + 1, "updated_at": origin.at}
    if conn.execute(written.values(columns)).rowcount != 1:
        raise Conflict(f"The {kind.name} was changed meanwhile.", suggestion="Read it again.")
    account_id = current.get("account_id")
    history.write(
        conn,
        (
            FieldChange(kind.name, record_id, account_id, version + 1, name, current[name], value)
            for name, value in changed.items()
        ),
        origin,
    )
    if set(index.INDEXED.get(kind.name, ())) & set(changed) or after.get("merged_into"):
        index.update(conn, kind.name, record_id, account_id, current, {} if after.get("merged_into") else after)
    return version + 1


def derived(kind: Type, values: State) -> dict[str, Any]:
    """Columns that follow from a record's fields."""
    match kind.name:
        case "account" | "deal":
            return {"name_folded": fold(values["name"])}
        case "contact":
            # Of one that was merged into another, the address is the other's.
            address = None if values.get("merged_into") is not None else values.get("email")
            return {
                "email_key": None if address is None else email_key(address),
                "email_domain": None if address is None else email_domain(address),
            }
        case _:
            return {}
