"""Pairs of an account's contacts that may be one person, the surest first."""

from flotilla_kit.paging import Page, slice_within
from sqlalchemy import Connection, or_, select

from ..access import Access
from ..models import DuplicatePair, Record
from ..records import CONTACT
from ..schema import contacts
from ..writing.duplicates import Person, pairs
from .asked import Asked
from .lists import account
from .shown import chosen, show

c = contacts.c
MOST_COMPARED = 2_000  # contacts of an account


def find(conn: Connection, access: Access, account_id: str, asked: Asked) -> Page[DuplicatePair]:
    """Each pair once, with what both have in common that the caller may read."""
    account(conn, access, account_id)
    known_by = or_(c.email_key.is_not(None), c.phone.is_not(None))
    found = select(contacts).where(c.account_id == account_id, c.merged_into.is_(None), known_by).order_by(c.contact_id)
    people = [dict(row) for row in conn.execute(found.limit(MOST_COMPARED)).mappings()]
    if not access.may_read("contact", "first_name", "last_name", "email", "phone"):
        people = []
    fields = chosen(CONTACT, access, ("first_name", "last_name", "email", "phone", "title"))

    def shown(person: Person) -> Record:
        return show(person, fields)

    likely = sorted(pairs(people), key=lambda pair: (-len(pair.reasons), pair.first["contact_id"]))
    answers = [
        DuplicatePair(contact=shown(pair.first), other=shown(pair.second), why=list(pair.reasons)) for pair in likely
    ]
    return slice_within(answers, asked.max_bytes, asked.cursor, limit=asked.limit)
