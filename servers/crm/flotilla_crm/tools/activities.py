"""Tools for activities: calls, e-mails, meetings, tasks, tickets and notes."""

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.arguments import Cursor, IdempotencyKey, Limit, OptionalDay, OptionalInstant, OptionalName
from flotilla_kit.paging import Page
from flotilla_kit.times import instant
from flotilla_kit.tools import READ, WRITE, declare

from ..arguments import Fields, Id, Kinds, OptionalBody, OptionalDirection, OptionalId
from ..models import Changed, Record
from ..reading.asked import ActivityFilter
from ..records import ActivityKind
from .call import BY_ACCOUNT, asked, caller, store


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_account_activities(
    account_id: Id,
    kinds: Kinds = None,
    since: OptionalInstant = None,
    until: OptionalInstant = None,
    contact_id: OptionalId = None,
    fields: Fields = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[Record]:
    """Calls, emails, meetings, tasks, tickets and notes of an account, newest first."""
    moments = [None if said is None else instant(said) for said in (since, until)]
    wanted = ActivityFilter(kinds, moments[0], moments[1], contact_id)
    return await store().list_activities(caller(), account_id, wanted, asked(fields, limit, cursor))


@tool(annotations=WRITE)
@declare(approval="rule", scoped=BY_ACCOUNT)
async def log_activity(
    account_id: Id,
    kind: ActivityKind,
    subject: OptionalName = None,
    body: OptionalBody = None,
    direction: OptionalDirection = None,
    occurred_at: OptionalInstant = None,
    contact_id: OptionalId = None,
    deal_id: OptionalId = None,
    due_on: OptionalDay = None,
    idempotency_key: IdempotencyKey = None,
) -> Changed:
    """Write down what happened at an account, or a task."""
    del idempotency_key  # it is in the effect
    given = {
        "account_id": account_id,
        "kind": kind,
        "subject": subject,
        "body": body,
        "direction": direction,
        "contact_id": contact_id,
        "deal_id": deal_id,
        "due_on": due_on,
        "done": False if kind == "task" else None,
        **({} if occurred_at is None else {"occurred_at": occurred_at}),
    }
    return await store().log_activity(caller(), tools.effect(), given)
