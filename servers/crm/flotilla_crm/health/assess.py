"""The health and the risks of an account, for a caller who may not read everything."""

from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from ..access import Access
from ..models import Health, Risks
from ..reading.lists import account
from . import facts as known
from .facts import Facts
from .risks import Thresholds, detect
from .score import Given, health


def health_of(conn: Connection, access: Access, account_id: str | None, given: Given, today: date) -> Health:
    """The score of an account, or of the given numbers alone. Raises `NotFound`."""
    facts = None if account_id is None else _readable(_facts(conn, access, account_id, today), access)
    return health(facts, given, today.isoformat())


def risks_of(conn: Connection, access: Access, account_id: str, given: Given, limits: Thresholds, today: date) -> Risks:
    """What is wrong at an account. Raises `NotFound`."""
    return detect(_facts(conn, access, account_id, today), given, limits, access)


def _facts(conn: Connection, access: Access, account_id: str, today: date) -> Facts:
    return known.read(conn, account(conn, access, account_id), today)


def _readable(facts: Facts, access: Access) -> Facts:
    """Without what the caller may not read, which counts as unknown."""
    if not access.may_read("account", "satisfaction"):
        facts = replace(facts, account={**facts.account, "satisfaction": None})
    if not access.may_read("activity", "kind", "priority"):
        facts = replace(facts, open_p1=())
    if not access.may_read("activity", "kind", "direction", "occurred_at", "contact_id"):
        facts = replace(facts, last=None, last_inbound=None)
    if not access.may_read("contact", "role", "status"):
        facts = replace(facts, champions=(), active_contacts=())
    return facts
