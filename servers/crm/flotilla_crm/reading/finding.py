"""Records by what people call them: an account by words, a contact by its e-mail, a deal by its name, a user."""

from collections.abc import Sequence
from itertools import count

from flotilla_kit.errors import InvalidArguments, InvalidCursor, NotFound
from flotilla_kit.paging import Page, decode_cursor, page_within
from sqlalchemy import Connection, select

from ..access import Access
from ..models import Found, Record, User
from ..records import ACCOUNT, CONTACT, DEAL
from ..schema import accounts, contacts, deals, users
from ..values import email, email_key
from ..words import after, fold
from . import search
from .asked import Asked
from .shown import chosen, shorter, show

a, c, d, u = accounts.c, contacts.c, deals.c, users.c
MOST_OTHERS = 5
MOST_FITTING = 200  # of one e-mail or name, that are looked at


def search_accounts(
    conn: Connection,
    access: Access,
    query: str,
    asked: Asked,
) -> Page[Record]:
    """Accounts with all the words of the query, in their own names or their contacts'; `contact` is whose name fits."""
    start = 0 if asked.cursor is None else int(decode_cursor(asked.cursor, int)[0])
    if not 0 <= start <= search.MOST_FOUND:
        raise InvalidCursor("That cursor is none of this tool's.", suggestion="Leave it out to start over.")
    found = search.fits(conn, access, query)[start : start + asked.limit + 1]
    wanted = chosen(ACCOUNT, access, asked.fields)
    person = chosen(CONTACT, access, ("first_name", "last_name", "email"))
    of_accounts = select(accounts).where(a.account_id.in_({fit.account_id for fit in found}))
    of_contacts = select(contacts).where(c.contact_id.in_({fit.contact_id for fit in found if fit.contact_id}))
    rows = {row["account_id"]: row for row in conn.execute(of_accounts).mappings()}
    people = {row["contact_id"]: row for row in conn.execute(of_contacts).mappings()}
    shown = [
        {
            **show(rows[fit.account_id], wanted),
            **({"contact": show(people[fit.contact_id], person)} if fit.contact_id else {}),
        }
        for fit in found
    ]
    end = count(start + 1)
    return page_within(shown, asked.max_bytes, lambda _: (next(end),), limit=asked.limit, shorten=shorter)


def contact_by_email(conn: Connection, access: Access, address: str, fields: Sequence[str] | None) -> Found:
    """The contact with an e-mail address, and others who have it too.

    Raises:
        NotFound: there is none.
        InvalidArguments: it is no address.
    """
    try:
        key = email_key(email(address))
    except ValueError as error:
        raise InvalidArguments(f"email {error}.", suggestion="Pass the whole address.") from None
    found = select(contacts).where(c.email_key == key).order_by(c.updated_at.desc(), c.contact_id)
    rows = [row for row in conn.execute(found.limit(MOST_FITTING)).mappings() if access.sees(row["account_id"])]
    if not rows or not access.may_read("contact", "email"):
        raise NotFound("There is no contact with that e-mail address.", suggestion="search_accounts finds by name.")
    wanted = chosen(CONTACT, access, fields, CONTACT.by_name)
    others = [show(row, ["contact_id", "account_id"]) for row in rows[1 : MOST_OTHERS + 1]]
    return Found(record=show(rows[0], wanted), others=others or None)


def deal_by_name(conn: Connection, access: Access, name: str, fields: Sequence[str] | None) -> Found:
    """The deal of that name, else one whose name begins so; open ones first.

    Raises:
        NotFound: there is none.
    """
    key = fold(name)
    found = select(deals).where(d.name_folded >= key, d.name_folded < after(key))
    if access.account_id is not None:
        found = found.where(d.account_id == access.account_id)
    rows = list(conn.execute(found.order_by(d.name_folded, d.deal_id).limit(MOST_FITTING)).mappings())
    if not key or not rows or not access.may_read("deal", "name"):
        raise NotFound("There is no deal of that name.", suggestion="list_account_deals and list_open_deals list them.")
    rows.sort(key=lambda row: (row["name_folded"] != key, row["stage_kind"] != "open", row["name_folded"]))
    wanted = chosen(DEAL, access, fields, DEAL.by_name)
    others = [show(row, ["deal_id", "account_id", "name"]) for row in rows[1 : MOST_OTHERS + 1]]
    return Found(record=show(rows[0], wanted), others=others or None)


def user(conn: Connection, said: str) -> User:
    """A user by id, e-mail address or name.

    Raises:
        NotFound: there is none.
    """
    for condition in (u.user_id == said, u.email == said.lower(), u.name_folded == fold(said)):
        row = conn.execute(select(users).where(condition).order_by(u.user_id).limit(1)).mappings().one_or_none()
        if row is not None:
            return User(**{name: row[name] for name in User.model_fields})
    raise NotFound("There is no such user.", suggestion="Pass an id, such as an owner_id, or an e-mail address.")
