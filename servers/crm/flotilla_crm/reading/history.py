"""What was changed at an account, newest first."""

from flotilla_kit.paging import Page, decode_cursor, page_within
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from ..access import Access
from ..models import FieldChange
from ..records import TYPES, RecordType, Type
from ..schema import field_history
from ..writing.history import read_value
from .asked import Asked
from .lists import account
from .shown import LONGEST

h = field_history.c


def list_changes(
    conn: Connection,
    access: Access,
    account_id: str,
    record_id: str | None,
    field: str | None,
    since: str | None,
    asked: Asked,
    *,
    created: bool = True,
) -> Page[FieldChange]:
    """Changes of the account's records.

    Args:
        created: also what records were made with.
    """
    account(conn, access, account_id)
    wanted: list[ColumnElement[bool]] = [h.account_id == account_id, *_readable(access)]
    if record_id is not None:
        wanted.append(h.record_id == record_id)
    if field is not None:
        wanted.append(h.field == field)
    if since is not None:
        wanted.append(h.at >= since)
    if not created:
        wanted.append(h.version > 1)
    if asked.cursor is not None:
        at, key = decode_cursor(asked.cursor, str, int)
        wanted.append(or_(h.at < at, and_(h.at == at, h.history_key < key)))
    found = select(field_history).where(*wanted).order_by(h.at.desc(), h.history_key.desc()).limit(asked.limit + 1)
    rows = conn.execute(found).mappings().all()
    position: dict[tuple[str, str, int, str], tuple[str, int]] = {}
    changes: list[FieldChange] = []
    for row in rows:
        change = FieldChange(
            record_type=row["record_type"],
            record_id=row["record_id"],
            version=row["version"],
            field=row["field"],
            old=_cut(read_value(row["old"])),
            new=_cut(read_value(row["new"])),
            at=row["at"],
            actor=row["actor"],
            reason=row["reason"],
        )
        changes.append(change)
        position[_of(change)] = (row["at"], row["history_key"])
    return page_within(
        changes, asked.max_bytes, lambda change: position[_of(change)], limit=asked.limit, shorten=_shorter
    )


def _readable(access: Access) -> list[ColumnElement[bool]]:
    """Only fields that the caller may read; a deal's contacts belong to whoever may read deals at all."""
    if not access.readable:
        return []
    allowed: list[ColumnElement[bool]] = []
    kinds: list[tuple[RecordType, Type]] = [(kind.name, kind) for kind in TYPES.values()]
    for name, kind in kinds:
        fields = [*access.readable_fields(kind), *(["contacts"] if access.readable_fields(kind) else [])]
        allowed.append(and_(h.record_type == name, h.field.in_(fields)))
    return [or_(*allowed)]


def _of(change: FieldChange) -> tuple[str, str, int, str]:
    """A version of a record sets a field once."""
    return change.record_type, change.record_id, change.version, change.field


def _cut(value: object) -> object:
    return value[:LONGEST] if isinstance(value, str) else value


def _shorter(change: FieldChange, room: int) -> FieldChange:
    del room
    cut = {name: value[:100] for name in ("old", "new") if isinstance(value := getattr(change, name), str)}
    return change.model_copy(update={**cut, "reason": (change.reason or "")[:100] or None})
