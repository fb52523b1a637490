"""Tools for contacts: read, find duplicates of, make, change, merge."""

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.arguments import Cursor, IdempotencyKey, Limit, OptionalName
from flotilla_kit.paging import Page
from flotilla_kit.tools import DESTROY, READ, WRITE, declare

from ..arguments import Address, Changes, Fields, Id, OptionalId, OptionalStatus, OptionalText, Version
from ..models import Changed, DuplicatePair, Found, Record
from .call import BY_ACCOUNT, asked, caller, store


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_account_contacts(
    account_id: Id, status: OptionalStatus = None, fields: Fields = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[Record]:
    """The contacts of an account."""
    return await store().list_contacts(caller(), account_id, status, asked(fields, limit, cursor))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_contact_by_email(email: Address, fields: Fields = None) -> Found:
    """The contact with an e-mail address."""
    return await store().contact_by_email(caller(), email, fields)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def find_duplicate_contacts(account_id: Id, limit: Limit = 20, cursor: Cursor = None) -> Page[DuplicatePair]:
    """Pairs of an account's contacts that may be one person."""
    return await store().find_duplicates(caller(), account_id, asked(None, limit, cursor))


@tool(annotations=WRITE)
@declare(approval="always", scoped=BY_ACCOUNT)
async def create_contact(
    account_id: OptionalId = None,
    first_name: OptionalName = None,
    last_name: OptionalName = None,
    email: OptionalName = None,
    phone: OptionalName = None,
    title: OptionalName = None,
    role: OptionalName = None,
    owner_id: OptionalId = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Add a contact. role: champion, decision_maker, billing, user, blocker. A known e-mail is refused."""
    del idempotency_key  # it is in the effect
    given = {
        "account_id": account_id,
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "phone": phone,
        "title": title,
        "role": role,
        "owner_id": owner_id,
    }
    return await store().create_contact(caller(), tools.effect(), given)


@tool(annotations=WRITE)
@declare(approval="always", scoped=BY_ACCOUNT)
async def update_contact(
    contact_id: Id,
    version: Version,
    changes: Changes,
    reason: OptionalText = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Change a contact's fields ({"title": "CTO"}; null empties one). version: the one you read."""
    del idempotency_key
    return await store().update_contact(caller(), tools.effect(), contact_id, version, changes, reason)


@tool(annotations=DESTROY)
@declare(approval="always", scoped=BY_ACCOUNT)
async def merge_contacts(
    winner_id: Id,
    winner_version: Version,
    loser_id: Id,
    loser_version: Version,
    reason: OptionalText = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Merge a contact into another of its account: empty fields are filled, activities and deals move."""
    del idempotency_key
    winner, loser = (winner_id, winner_version), (loser_id, loser_version)
    return await store().merge_contacts(caller(), tools.effect(), winner, loser, reason)
