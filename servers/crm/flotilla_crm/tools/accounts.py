"""Tools that find and read accounts, what was changed in them, and who looks after them."""

from fastmcp.tools import tool
from flotilla_kit.arguments import Cursor, Limit, OptionalInstant, OptionalName
from flotilla_kit.paging import Page
from flotilla_kit.times import instant
from flotilla_kit.tools import READ, declare

from ..arguments import Fields, Id, OptionalId, OptionalSection, Query
from ..models import FieldChange, Record, Review, User
from .call import BY_ACCOUNT, asked, caller, most_bytes, store


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def search_accounts(
    query: Query, fields: Fields = None, limit: Limit = 10, cursor: Cursor = None
) -> Page[Record]:
    """Find accounts by words of their names, or of their contacts' names or e-mails."""
    return await store().search_accounts(caller(), query, asked(fields, limit, cursor))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_account(account_id: Id, fields: Fields = None) -> Record:
    """One account."""
    return await store().get_account(caller(), account_id, fields)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_field_changes(
    account_id: Id,
    record_id: OptionalId = None,
    field: OptionalName = None,
    since: OptionalInstant = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[FieldChange]:
    """Who changed what at an account, newest first; of one record by its id."""
    since = None if since is None else instant(since)
    return await store().list_changes(caller(), account_id, record_id, field, since, asked(None, limit, cursor))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_account_review(account_id: Id, section: OptionalSection = None, cursor: Cursor = None) -> Review:
    """An account at a glance; for the rest of a section pass it with its next_cursor."""
    return await store().review(caller(), account_id, section, cursor, most_bytes())


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_user_info(user: OptionalName = None) -> User:
    """Somebody of ours by id, e-mail or name; by default you."""
    return await store().user(caller(), user)
