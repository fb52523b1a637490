"""Tools for deals: read, make, change."""

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.arguments import Cursor, IdempotencyKey, Limit, Name, OptionalDay, OptionalName
from flotilla_kit.paging import Page
from flotilla_kit.tools import READ, WRITE, declare

from ..arguments import Changes, Fields, Id, Minor, OptionalId, OptionalState, OptionalText, Version
from ..models import Changed, Found, Record
from ..records import DEFAULT_PIPELINE
from .call import BY_ACCOUNT, asked, caller, store


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_account_deals(
    account_id: Id, state: OptionalState = None, fields: Fields = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[Record]:
    """The deals of an account."""
    return await store().list_deals(caller(), account_id, None, state, asked(fields, limit, cursor))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_deal_by_name(name: Name, fields: Fields = None) -> Found:
    """The deal of a name, or of one that begins so."""
    return await store().deal_by_name(caller(), name, fields)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_open_deals(
    owner_id: OptionalId = None, fields: Fields = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[Record]:
    """Open deals of all accounts, the next to close first."""
    return await store().list_deals(caller(), None, owner_id, "open", asked(fields, limit, cursor))


@tool(annotations=WRITE)
@declare(approval="always", scoped=BY_ACCOUNT)
async def create_deal(
    account_id: Id,
    name: Name,
    amount_minor: Minor = None,
    currency: OptionalName = None,
    stage: OptionalName = None,
    pipeline_id: Id = DEFAULT_PIPELINE,
    close_on: OptionalDay = None,
    owner_id: OptionalId = None,
    contact_id: OptionalId = None,
    contact_role: OptionalName = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Add a deal, by default in its pipeline's first stage. Pipelines: sales, renewals."""
    del idempotency_key  # it is in the effect
    given = {
        "account_id": account_id,
        "name": name,
        "amount_minor": amount_minor,
        "currency": currency,
        "stage": stage,
        "pipeline_id": pipeline_id,
        "close_on": close_on,
        "owner_id": owner_id,
    }
    contacts = [] if contact_id is None else [{"contact_id": contact_id, "role": contact_role}]
    given = {key: value for key, value in given.items() if key != "stage" or value is not None}
    return await store().create_deal(caller(), tools.effect(), given, contacts)


@tool(annotations=WRITE)
@declare(approval="always", scoped=BY_ACCOUNT)
async def update_deal(
    deal_id: Id,
    version: Version,
    changes: Changes,
    reason: OptionalText = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Change a deal's fields ({"stage": "Proposal", "amount_minor": 490000}). version: the one you read."""
    del idempotency_key
    return await store().update_deal(caller(), tools.effect(), deal_id, version, changes, reason)
