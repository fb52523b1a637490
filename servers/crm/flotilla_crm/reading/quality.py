"""What is wrong or missing in an account's data, each with the records it is of."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, select

from ..access import Access
from ..models import Record
from ..records import RecordType
from ..schema import accounts, contacts, deals
from ..writing import duplicates

a, c, d = accounts.c, contacts.c, deals.c
MOST_IDS = 5
MOST_COMPARED = 500  # contacts of an account that are compared with each other


def flags(conn: Connection, access: Access, account_id: str, today: date) -> list[Record]:
    """Each flag once, with a few of the records it is of and how many there are."""
    found: list[Record] = []
    for flag, needed, ids in _flags(conn, access, account_id, today):
        if ids and all(access.may_read(kind, name) for kind, name in needed):
            found.append({"flag": flag, "records": len(ids), "record_ids": ids[:MOST_IDS]})
    return found


def _flags(
    conn: Connection, access: Access, account_id: str, today: date
) -> Iterator[tuple[str, list[tuple[RecordType, str]], list[str]]]:
    row = conn.execute(select(accounts).where(a.account_id == account_id)).mappings().one()
    for name, flag in (("owner_id", "account_without_owner"), ("domain", "account_without_domain")):
        yield flag, [("account", name)], [account_id] if row[name] is None else []
    of_account = (c.account_id == account_id, c.merged_into.is_(None))
    people = select(contacts).where(*of_account).order_by(c.contact_id).limit(MOST_COMPARED)
    known = [dict(person) for person in conn.execute(people).mappings()]
    yield "no_contacts", [("contact", "last_name")], [account_id] if not known else []
    for name, flag in (("email", "contact_without_email"), ("role", "contact_without_role")):
        missing = [str(person["contact_id"]) for person in known if person[name] is None]
        yield flag, [("contact", name)], missing
    pairs = [f"{pair.first['contact_id']} = {pair.second['contact_id']}" for pair in duplicates.pairs(known)]
    yield "possible_duplicate_contacts", [("contact", name) for name in ("email", "phone", "last_name")], pairs
    open_deals = select(d.deal_id, d.close_on, d.amount_minor, d.owner_id).where(
        d.account_id == account_id, d.stage_kind == "open"
    )
    rows = conn.execute(open_deals.order_by(d.deal_id).limit(MOST_COMPARED)).all()
    late = [str(row.deal_id) for row in rows if row.close_on is not None and row.close_on < today.isoformat()]
    yield "open_deal_past_its_close_date", [("deal", "close_on")], late
    for field, flag in (
        ("close_on", "open_deal_without_close_date"),
        ("amount_minor", "open_deal_without_amount"),
        ("owner_id", "open_deal_without_owner"),
    ):
        yield flag, [("deal", field)], [str(row.deal_id) for row in rows if getattr(row, field) is None]
