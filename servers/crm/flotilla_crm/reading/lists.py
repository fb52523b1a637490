"""Lists of an account's records, and of open deals, in pages of a size."""

from collections.abc import Callable, Sequence
from typing import Any

from flotilla_kit.errors import NotFound
from flotilla_kit.paging import Page, decode_cursor, page_within
from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, tuple_

from ..access import Access
from ..models import Record
from ..records import ACCOUNT, ACTIVITY, CONTACT, DEAL, StageKind, Type
from ..schema import accounts, activities, contacts, deals
from .asked import ActivityFilter, Asked
from .shown import chosen, shorter, show

a, c, d, v = accounts.c, contacts.c, deals.c, activities.c
UNDATED = ""  # in place of a day, in the cursor of a deal without a close date


def missing(kind: str) -> NotFound:
    """There is no such record, or none for the caller."""
    return NotFound(f"There is no {kind} with that id.", suggestion="search_accounts finds accounts by name or person.")


def account(conn: Connection, access: Access, account_id: str) -> Record:
    """The row of an account.

    Raises:
        NotFound: it is not there, or not the caller's.
    """
    row = conn.execute(select(accounts).where(a.account_id == account_id)).mappings().one_or_none()
    if row is None or not access.sees(row["account_id"]):
        raise missing("account")
    return dict(row)


def get_account(conn: Connection, access: Access, account_id: str, fields: Sequence[str] | None) -> Record:
    """An account with all its fields, or those asked for."""
    return show(account(conn, access, account_id), chosen(ACCOUNT, access, fields, ACCOUNT.by_name), None)


def list_contacts(
    conn: Connection,
    access: Access,
    account_id: str,
    status: str | None,
    asked: Asked,
) -> Page[Record]:
    """Contacts of an account by their ids, merged ones apart."""
    account(conn, access, account_id)
    found = select(contacts).where(c.account_id == account_id, c.merged_into.is_(None))
    if status is not None:
        found = found.where(c.status == status)
    if asked.cursor is not None:
        found = found.where(c.contact_id > decode_cursor(asked.cursor, str)[0])
    rows = _rows(conn, found.order_by(c.contact_id), asked.limit + 1)
    return _page(access, CONTACT, rows, asked, lambda row: (row["contact_id"],))


def list_deals(
    conn: Connection,
    access: Access,
    account_id: str | None,
    owner_id: str | None,
    state: StageKind | None,
    asked: Asked,
) -> Page[Record]:
    """Deals by the day they are to be closed, the next first; of one account or of all that the caller sees."""
    if account_id is not None:
        account(conn, access, account_id)
    wanted: list[ColumnElement[bool]] = []
    if (of := account_id or access.account_id) is not None:
        wanted.append(d.account_id == of)
    if owner_id is not None:
        wanted.append(d.owner_id == owner_id)
    if state is not None:
        wanted.append(d.stage_kind == state)
    # Two reads, each in the order of an index: one over all open deals would sort every one of them.
    dated = select(deals).where(*wanted, d.close_on.is_not(None)).order_by(d.close_on, d.deal_id)
    undated = select(deals).where(*wanted, d.close_on.is_(None)).order_by(d.deal_id)
    day, last = decode_cursor(asked.cursor, str, str) if asked.cursor is not None else (None, None)
    if day == UNDATED:
        undated = undated.where(d.deal_id > last)
    elif day is not None:
        dated = dated.where(tuple_(d.close_on, d.deal_id) > tuple_(day, last))
    rows = [] if day == UNDATED else _rows(conn, dated, asked.limit + 1)
    rows += _rows(conn, undated, asked.limit + 1 - len(rows)) if len(rows) <= asked.limit else []
    return _page(access, DEAL, rows, asked, lambda row: (row["close_on"] or UNDATED, row["deal_id"]))


def list_activities(
    conn: Connection,
    access: Access,
    account_id: str,
    which: ActivityFilter,
    asked: Asked,
) -> Page[Record]:
    """What happened at an account, newest first."""
    account(conn, access, account_id)
    wanted: list[ColumnElement[bool]] = [v.account_id == account_id]
    if which.kinds is not None:
        wanted.append(v.kind.in_(which.kinds))
    if which.since is not None:
        wanted.append(v.occurred_at >= which.since)
    if which.until is not None:
        wanted.append(v.occurred_at < which.until)
    if which.contact_id is not None:
        wanted.append(v.contact_id == which.contact_id)
    if asked.cursor is not None:
        at, last = decode_cursor(asked.cursor, str, str)
        wanted.append(or_(v.occurred_at < at, and_(v.occurred_at == at, v.activity_id < last)))
    found = select(activities).where(*wanted).order_by(v.occurred_at.desc(), v.activity_id.desc())
    rows = _rows(conn, found, asked.limit + 1)
    return _page(access, ACTIVITY, rows, asked, lambda row: (row["occurred_at"], row["activity_id"]))


def _rows(conn: Connection, found: Select[Any], limit: int) -> list[Record]:
    return [dict(row) for row in conn.execute(found.limit(limit)).mappings()]


def _page(
    access: Access, kind: Type, rows: Sequence[Record], asked: Asked, position: Callable[[Record], tuple[str, ...]]
) -> Page[Record]:
    """A page of these rows, of which the one over the limit only says that there are more; its cursor is the `position`
    of its last row."""
    wanted = chosen(kind, access, asked.fields)
    at = {row[kind.id]: position(row) for row in rows}
    shown = [show(row, wanted) for row in rows]
    return page_within(shown, asked.max_bytes, lambda record: at[record[kind.id]], limit=asked.limit, shorten=shorter)
