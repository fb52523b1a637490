"""What the CRM knows of an account on a day, read once for the score and the risks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Select, case, func, or_, select

from ..days import days_before, days_between
from ..schema import activities, contacts, deals, field_history
from ..writing.history import read_value

v, c, d, h = activities.c, contacts.c, deals.c, field_history.c
RECENT_DAYS = 90
CONVERSATIONS = ("call", "email", "meeting")
"""Kinds of activities in which both sides had a part; tasks, tickets and notes are not among them."""
MOST_TICKETS, MOST_CHAMPIONS = 20, 20
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Talk:
    """The last activity of some kind: its id and time."""

    activity_id: str
    at: str

    def days(self, today: date) -> int:
        """How long ago it was."""
        return days_between(self.at, today)


@dataclass(frozen=True)
class DealHistory:
    """An open deal, and what its history says: how often its close date was put off, since when it is in its stage."""

    deal: Row
    slips: int
    stage_since: str
    highest_amount: int | None
    """In the deal's present currency."""


@dataclass(frozen=True)
class Facts:
    """Of one account on a day. Times are as the store keeps them."""

    account: Row
    today: date
    last: Talk | None
    last_inbound: Talk | None
    last_inbound_of: Mapping[str, Talk]
    """By contact."""
    conversations: int
    """In the last 90 days."""
    meetings: int
    people: int
    """Contacts that were talked with in the last 90 days."""
    champions: Sequence[Row]
    active_contacts: Sequence[Row]
    """Two of them at most: whether there is more than one."""
    open_p1: Sequence[Talk]
    deals: Sequence[DealHistory]


def read(conn: Connection, account: Row, today: date) -> Facts:
    """Everything up to the end of the day."""
    account_id = str(account["account_id"])
    end = days_before(today + timedelta(days=1), 0)
    of_account = (v.account_id == account_id, v.occurred_at < end)
    recent = (*of_account, v.occurred_at >= days_before(today, RECENT_DAYS), v.kind.in_(CONVERSATIONS))
    counts = conn.execute(
        select(
            func.count(),
            func.sum(case((v.kind.in_(("meeting", "call")), 1), else_=0)),
            func.count(func.distinct(v.contact_id)),
        ).where(*recent)
    ).one()
    tickets = select(v.activity_id, v.occurred_at).where(
        *of_account, v.kind == "ticket", v.priority == "P1", func.coalesce(v.done, 0) == 0
    )
    inbound = (v.kind.in_((*CONVERSATIONS, "ticket")), v.direction == "inbound")
    people = select(contacts).where(c.account_id == account_id, c.merged_into.is_(None)).order_by(c.contact_id)
    champions = _rows(conn, people.where(c.role == "champion").limit(MOST_CHAMPIONS))
    active = or_(c.status == "active", c.status.is_(None))
    return Facts(
        account=account,
        today=today,
        last=_last(conn, *of_account, v.kind.in_(CONVERSATIONS)),
        last_inbound=_last(conn, *of_account, *inbound),
        last_inbound_of={
            one: talk
            for one in (str(champion["contact_id"]) for champion in champions)
            if (talk := _last(conn, *of_account, *inbound, v.contact_id == one))
        },
        conversations=int(counts[0]),
        meetings=int(counts[1] or 0),
        people=int(counts[2]),
        champions=champions,
        active_contacts=_rows(conn, people.where(active).limit(2)),
        open_p1=[Talk(row[0], row[1]) for row in conn.execute(tickets.order_by(v.occurred_at).limit(MOST_TICKETS))],
        deals=[_history(conn, dict(row)) for row in conn.execute(_open_deals(account_id)).mappings()],
    )


def _rows(conn: Connection, found: Select[Any]) -> list[Row]:
    return [dict(row) for row in conn.execute(found).mappings()]


def _last(conn: Connection, *wanted: Any) -> Talk | None:
    newest = select(v.activity_id, v.occurred_at).where(*wanted).order_by(v.occurred_at.desc(), v.activity_id.desc())
    row = conn.execute(newest.limit(1)).first()
    return None if row is None else Talk(row[0], row[1])


def _open_deals(account_id: str) -> Any:
    return select(deals).where(d.account_id == account_id, d.stage_kind == "open").order_by(d.deal_id)


def _history(conn: Connection, deal: Row) -> DealHistory:
    tracked = ("close_on", "stage", "amount_minor", "currency")
    found = (
        select(h.field, h.old, h.new, h.at)
        .where(h.record_type == "deal", h.record_id == deal["deal_id"], h.field.in_(tracked))
        .order_by(h.history_key)
    )
    slips, stage_since, amounts = 0, str(deal["created_at"]), list[int]()
    for row in conn.execute(found):
        old, new = read_value(row.old), read_value(row.new)
        if row.field == "close_on" and old is not None and new is not None and new > old:
            slips += 1
        elif row.field == "stage":
            stage_since = row.at
        elif row.field == "currency" and old is not None:
            amounts.clear()  # amounts in another currency compare to nothing
        elif row.field == "amount_minor" and new is not None:
            amounts.append(new)
    if deal["amount_minor"] is not None:
        amounts.append(int(deal["amount_minor"]))
    return DealHistory(deal, slips, stage_since, max(amounts, default=None))
