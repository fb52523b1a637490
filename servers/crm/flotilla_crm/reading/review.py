"""The review of an account: what a person would look up before a call, in sections of a bounded size."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast, get_args

from flotilla_kit import times
from flotilla_kit.paging import Page, slice_within
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from ..access import Access
from ..days import days_before
from ..models import Record, Review, Section
from ..records import ACCOUNT, ACTIVITY, CONTACT, DEAL, SectionName, Type
from ..schema import users
from . import history, lists, quality
from .asked import ActivityFilter, Asked
from .shown import chosen, hidden, show

logger = logging.getLogger(__name__)

ACTIVITY_DAYS, CHANGE_DAYS = 90, 30
SOURCE = "crm"
FAILED = "The database failed to read this section; the others are not affected. The server's log says how it failed."
CONTACT_FIELDS = ("first_name", "last_name", "email", "title", "role", "status")
ACTIVITY_FIELDS = ("contact_id", "kind", "direction", "subject", "occurred_at", "done", "priority")
# Of an answer of 100 parts, what a section may have; the rest is what is around them.
SHARES: Mapping[SectionName, int] = {
    "account": 14,
    "contacts": 18,
    "open_deals": 20,
    "activities": 22,
    "changes": 12,
    "quality": 7,
}
LIMITS: Mapping[SectionName, int] = {
    "account": 1,
    "contacts": 10,
    "open_deals": 10,
    "activities": 12,
    "changes": 8,
    "quality": 20,
}


@dataclass(frozen=True)
class _Reader:
    """Reads one section's page."""

    conn: Connection
    access: Access
    account_id: str
    today: date
    asked: Asked

    def account(self) -> Page[Record]:
        row = lists.account(self.conn, self.access, self.account_id)
        shown = show(row, chosen(ACCOUNT, self.access, None, ACCOUNT.by_name), 300)
        if (owner := shown.get("owner_id")) is not None:
            found = select(users.c.name, users.c.email).where(users.c.user_id == owner)
            shown["owner"] = show(dict(self.conn.execute(found).mappings().one()), ("name", "email"))
        return Page[Any].model_construct(items=[shown], next_cursor=None)

    def contacts(self) -> Page[Record]:
        return lists.list_contacts(self.conn, self.access, self.account_id, None, self._of(CONTACT_FIELDS))

    def open_deals(self) -> Page[Record]:
        return lists.list_deals(self.conn, self.access, self.account_id, None, "open", self.asked)

    def activities(self) -> Page[Record]:
        recent = ActivityFilter(since=days_before(self.today, ACTIVITY_DAYS))
        asked = self._of(ACTIVITY_FIELDS)
        return lists.list_activities(self.conn, self.access, self.account_id, recent, asked)

    def changes(self) -> Page[Record]:
        since = days_before(self.today, CHANGE_DAYS)
        wanted = (self.account_id, None, None, since)
        page = history.list_changes(self.conn, self.access, *wanted, self.asked, created=False)
        shown = [change.model_dump() for change in page.items]
        return Page[Any].model_construct(items=shown, next_cursor=page.next_cursor)

    def quality(self) -> Page[Record]:
        found = quality.flags(self.conn, self.access, self.account_id, self.today)
        return slice_within(found, self.asked.max_bytes, self.asked.cursor, limit=self.asked.limit)

    def _of(self, fields: Sequence[str]) -> Asked:
        return replace(self.asked, fields=fields)


_READS: Mapping[SectionName, tuple[Callable[[_Reader], Page[Record]], Type, tuple[str, ...]]] = {
    "account": (_Reader.account, ACCOUNT, tuple(ACCOUNT.by_name)),
    "contacts": (_Reader.contacts, CONTACT, CONTACT_FIELDS),
    "open_deals": (_Reader.open_deals, DEAL, DEAL.terse),
    "activities": (_Reader.activities, ACTIVITY, ACTIVITY_FIELDS),
    "changes": (_Reader.changes, ACCOUNT, ()),
    "quality": (_Reader.quality, ACCOUNT, ()),
}


def review(
    conn: Connection,
    access: Access,
    account_id: str,
    today: date,
    section: SectionName | None,
    cursor: str | None,
    max_bytes: int,
) -> Review:
    """All sections, or the page of one section at its cursor.

    Raises:
        NotFound: there is no such account.
    """
    lists.account(conn, access, account_id)
    names = cast("tuple[SectionName, ...]", get_args(SectionName)) if section is None else (section,)
    sections = {
        name: _section(name, _Reader(conn, access, account_id, today, _asked(name, section, cursor, max_bytes)))
        for name in names
    }
    return Review(account_id=account_id, as_of=today.isoformat(), sections=dict(sections))


def _asked(name: SectionName, section: SectionName | None, cursor: str | None, max_bytes: int) -> Asked:
    """A section's share of the whole review, or a page that is of it alone."""
    if section is None:
        return Asked(None, LIMITS[name], cursor, max_bytes * SHARES[name] // 100)
    return Asked(None, 100, cursor, max_bytes * 9 // 10)


def _section(name: SectionName, reader: _Reader) -> Section:
    read, kind, fields = _READS[name]
    said = {"source": SOURCE, "as_of": times.now()}
    if fields and not reader.access.readable_fields(kind):
        return Section(status="unavailable", note="This caller may not read them.", items=[], **said)
    try:
        # A transaction of its own: after an error PostgreSQL would answer nothing more in the one around it.
        with reader.conn.begin_nested():
            page = read(reader)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise  # the database is gone, and no other section would fare better
        logger.exception("a section of a review could not be read", extra={"section": name})
        return Section(status="unavailable", note=FAILED, items=[], **said)
    note = None
    if unread := hidden(kind, reader.access, fields):
        note = f"Not readable here: {', '.join(unread)}."
    elif reader.access.readable and not fields:
        note = "Only of fields that are readable here."
    partial = page.next_cursor is not None or note is not None
    return Section(
        status="partial" if partial else "ok", note=note, items=page.items, next_cursor=page.next_cursor, **said
    )
