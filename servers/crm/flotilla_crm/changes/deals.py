"""Changes of deals: made and changed."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit import effects
from flotilla_kit.errors import FlotillaError, InvalidArguments
from sqlalchemy import Connection

from ..records import CONTACT, DEAL
from ..values import Value
from ..writing import deals, ids, rows
from ..writing.history import Origin
from . import once
from .once import Change, Outcome


def create(conn: Connection, change: Change, given: Mapping[str, Value], roles: deals.Roles) -> Outcome:
    """Write a new deal, by default in its pipeline's first stage; `{deal_id, account_id, version, stage}`.

    Raises:
        InvalidArguments: the pipeline has no such stage, or an amount has no currency.
        NotFound: the account, or a contact of it, is not there.
    """
    access = change.access
    account = once.lock_account(conn, access, str(given["account_id"]))
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    once.check_user(conn, given.get("owner_id"))
    pipeline = str(given["pipeline_id"])
    stage = str(given.get("stage") or next(iter(deals.stages_of(conn, pipeline)), ""))
    values = {**given, "stage": stage, "stage_kind": deals.stage_kind(conn, pipeline, stage)}
    _check_money(values)
    for role in roles:
        if once.locked(conn, access, CONTACT, role["contact_id"])["account_id"] != given["account_id"]:
            raise once.missing("contact")
    deal_id = ids.new(DEAL.prefix)

    def write(origin: Origin) -> Outcome:
        deal = {"deal_id": deal_id, **values}
        rows.create(conn, DEAL, [deal], origin)
        deals.add_first_contacts(conn, deal, roles, origin)
        return {"deal_id": deal_id, "account_id": given["account_id"], "version": 1, "stage": stage}

    facts: dict[str, Any] = {
        "account_id": given["account_id"],
        "account_name": account["name"] if account and access.may_read("account", "name") else None,
        "stage": stage,
        "stage_kind": values["stage_kind"],
    }
    return change.take_effect(conn, facts, write)


def update(conn: Connection, change: Change, deal_id: str, version: int, given: Mapping[str, Value]) -> Outcome:
    """Change a deal; `{deal_id, account_id, version, changed}`.

    Raises:
        VersionConflict: it is not at that version.
        InvalidArguments: its pipeline has no such stage, or an amount would have no currency.
    """
    access = change.access
    state = once.locked(conn, access, DEAL, deal_id)
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    once.check_user(conn, given.get("owner_id"))
    after = {**state, **given}
    kind = deals.stage_kind(conn, str(state["pipeline_id"]), str(after["stage"]))
    _check_money(after)
    changed = rows.changed_fields(DEAL, state, given)
    problem: FlotillaError | None = once.stale(conn, access, DEAL, state, version, given)
    if problem is None and not changed:
        problem = InvalidArguments("The deal is like that already.", suggestion="Nothing needs to be done.")

    def write(origin: Origin) -> Outcome:
        now = rows.change(conn, DEAL, state, given, origin, stage_kind=kind)
        return {"deal_id": deal_id, "account_id": state["account_id"], "version": now, "changed": sorted(changed)}

    return change.take_effect(conn, once.facts_of(DEAL, state, access, given), write, problem, ("deal", deal_id))


def _check_money(values: Mapping[str, Any]) -> None:
    if values.get("amount_minor") is not None and values.get("currency") is None:
        raise InvalidArguments("amount_minor has no currency.", suggestion="Pass currency too, such as USD.")
